# Times R's mmrm on the data that `python benchmarks/mixed.py --write FOLDER` leaves in FOLDER.
#
# Run: Rscript benchmarks/compare_r.R FOLDER [repetitions]
# Prints one line a task, "task,degrees of freedom,median milliseconds". One core; fit and summary, after one untimed fit.

arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
repetitions <- if (length(arguments) > 1) as.integer(arguments[2]) else 9L

if (!requireNamespace("mmrm", quietly = TRUE)) {
  cat("the R package mmrm is not installed\n", file = stderr())
  quit(status = 3)
}
suppressPackageStartupMessages(library(mmrm))

read_task <- function(path) {
  data <- utils::read.csv(path)
  data$patient <- factor(data$patient)
  data$visit <- factor(data$visit)
  data$arm <- factor(data$arm)
  data
}

milliseconds <- function(run, times) {
  run()
  taken <- vapply(seq_len(times), function(i) unname(system.time(run())["elapsed"]), numeric(1))
  1000 * stats::median(taken)
}

formula <- outcome ~ baseline * visit + arm * visit + us(visit | patient)
labels <- c("Satterthwaite" = "satterthwaite", "Kenward-Roger" = "kenward-roger")

for (path in sort(list.files(folder, pattern = "^fit_.*[.]csv$", full.names = TRUE))) {
  data <- read_task(path)
  task <- sub("^fit_(.*)[.]csv$", "\\1", basename(path))
  times <- if (nrow(data) > 10000) 2L else repetitions
  for (method in names(labels)) {
    if (nrow(data) > 10000 && method == "Kenward-Roger") next
    run <- function() summary(mmrm(formula, data = data, reml = TRUE, method = method))
    cat(sprintf("%s,%s,%.3f\n", task, labels[[method]], milliseconds(run, times)))
  }
}

# Many trials one after another, with the contrast of the arms at the last visit.
many <- file.path(folder, "trials.csv")
if (file.exists(many)) {
  trials <- split(read_task(many), utils::read.csv(many)$trial)
  one <- function(data) {
    data <- droplevels(data)
    fit <- mmrm(formula, data = data, reml = TRUE, method = "Satterthwaite")
    names <- names(stats::coef(fit))
    last <- utils::tail(levels(data$visit), 1)
    weights <- as.numeric(names == paste0("arm", levels(data$arm)[2]))
    interaction <- c(paste0("visit", last, ":arm", levels(data$arm)[2]), paste0("arm", levels(data$arm)[2], ":visit", last))
    df_1d(fit, weights + as.numeric(names %in% interaction))
  }
  one(trials[[1]])
  taken <- system.time(for (data in trials) one(data))["elapsed"]
  cat(sprintf("trials,satterthwaite,%.3f\n", 1000 * taken / length(trials)))
}
