# What R needs for the trials of benchmarks/simulate.py.
#
# Run: Rscript benchmarks/simulate_r.R mmrm FOLDER     a loop of mmrm over what `simulate.py --export FOLDER` wrote
#      Rscript benchmarks/simulate_r.R rpact [trials]  rpact's simulations of the designs in benchmarks/protocols
#
# mmrm: one line a protocol, "protocol,trials,fits,seconds a trial,seconds a fit"; every look that a trial took is fitted,
# with the contrast of the arms at the last visit. rpact: "protocol,microseconds a trial". One core, after one untimed run.

arguments <- commandArgs(trailingOnly = TRUE)
what <- if (length(arguments)) arguments[1] else ""
if (!what %in% c("mmrm", "rpact") || (what == "mmrm" && length(arguments) < 2)) {
  cat("usage: simulate_r.R mmrm FOLDER | rpact [trials]\n", file = stderr())
  quit(status = 2)
}
if (!requireNamespace(what, quietly = TRUE)) {
  cat(sprintf("not run: the R package %s is not installed\n", what), file = stderr())
  quit(status = 3)
}
suppressPackageStartupMessages(library(what, character.only = TRUE))

loop_of_mmrm <- function(folder) {
  methods <- c("ptsd-ketamine" = "Satterthwaite", "phase-three" = "Kenward-Roger")
  for (name in names(methods)) {
    data <- utils::read.csv(file.path(folder, paste0(name, ".csv")))
    visits <- unique(data$visit)
    data$visit <- factor(data$visit, levels = visits)
    data$arm <- factor(data$arm)
    data$patient <- factor(data$patient)
    looks <- split(data, list(data$trial, data$look), drop = TRUE)
    one <- function(look) {
      look <- droplevels(look)
      formula <- change ~ baseline * visit + arm * visit + us(visit | patient)
      fit <- mmrm(formula, data = look, reml = TRUE, method = methods[[name]])
      named <- names(stats::coef(fit))
      last <- utils::tail(levels(look$visit), 1)
      chosen <- c("arm1", paste0("visit", last, ":arm1"), paste0("arm1:visit", last))
      df_1d(fit, as.numeric(named %in% chosen))
    }
    one(looks[[1]])
    taken <- system.time(for (look in looks) try(one(look), silent = TRUE))["elapsed"]
    trials <- length(unique(data$trial))
    cat(sprintf("%s,%d,%d,%.4f,%.4f\n", name, trials, length(looks), taken / trials, taken / length(looks)))
  }
}

simulations_of_rpact <- function(trials) {
  design <- getDesignGroupSequential(
    kMax = 3, alpha = 0.025, sided = 1, typeOfDesign = "asOF", informationRates = c(1, 2, 3) / 3
  )
  runs <- list(
    survival = function(n) getSimulationSurvival(
      design, directionUpper = FALSE, median2 = 12, hazardRatio = 0.7, plannedEvents = c(83, 165, 248),
      accrualTime = c(0, 18), maxNumberOfSubjects = 450, maxNumberOfIterations = n, seed = 1
    ),
    means = function(n) getSimulationMeans(
      design, alternative = 0.4, stDev = 1, plannedSubjects = c(80, 160, 240), maxNumberOfIterations = n, seed = 1
    ),
    rates = function(n) getSimulationRates(
      design, pi1 = 0.45, pi2 = 0.30, plannedSubjects = c(120, 240, 360), maxNumberOfIterations = n, seed = 1
    )
  )
  for (name in names(runs)) {
    invisible(runs[[name]](100))
    best <- min(vapply(1:3, function(i) unname(system.time(runs[[name]](trials))["elapsed"]), numeric(1)))
    cat(sprintf("%s,%.2f\n", name, 1e6 * best / trials))
  }
}

if (what == "mmrm") loop_of_mmrm(arguments[2])
if (what == "rpact") simulations_of_rpact(if (length(arguments) > 1) as.integer(arguments[2]) else 10000L)
