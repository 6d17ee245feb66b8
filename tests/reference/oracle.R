# R's answer to every case: Rscript tests/reference/oracle.R FOLDER OUTPUT
#
# FOLDER holds one table per case (outcome, tested, unit: person or family, z1..zk: nuisance without the constant) and cases.tsv
# (name, kind, estimator, bound, everything); compare.py writes them. OUTPUT gets case, quantity, value.
suppressPackageStartupMessages({
  library(sandwich); library(lmtest); library(car); library(emmeans); library(effectsize)
  library(clubSandwich); library(coin); library(BayesFactor); library(psych); library(MASS)
})
options(warn = 1)
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
rows <- list()
keep <- function(case, ...) {
  values <- list(...)
  for (name in names(values)) {
    rows[[length(rows) + 1]] <<- data.frame(case = case, quantity = name, value = sprintf("%.17g", values[[name]]))
  }
}

tests <- function(name, estimate, se, dof) {
  statistic <- estimate / se
  values <- list(estimate, se, dof, statistic, 2 * pt(-abs(statistic), dof))
  setNames(values, paste(name, c("estimate", "std_error", "dof", "statistic", "p"), sep = "."))
}
keep_list <- function(case, values) do.call(keep, c(list(case), values))

# p of |theta| <= bound: noncentral t where the bound is a multiple of the sample's SD
beyond <- function(kind, estimate, se, dof, bound) {
  t <- abs(estimate) / se; ncp <- bound / se
  if (kind == "slope") return(min(1, pt(t - ncp, dof, lower.tail = FALSE) + pt(t + ncp, dof, lower.tail = FALSE)))
  pt(t, dof, ncp, lower.tail = FALSE) + pt(-t, dof, ncp)
}

# limits of the noncentrality by root finding; R's pt carries about 12 digits
noncentral_limits <- function(t, dof) {
  find <- function(p) uniroot(function(ncp) pt(t, dof, ncp) - p, t + c(-3, 3), tol = 1e-13, maxiter = 10000,
                              extendInt = "downX")$root
  c(find(0.975), find(0.025))
}

primary_welch <- function(case, d, bound) {
  a <- d$outcome[d$tested == 1]; b <- d$outcome[d$tested == 0]
  w <- t.test(a, b)
  ci99 <- t.test(a, b, conf.level = 0.99)$conf.int
  keep(case, primary.estimate = mean(a) - mean(b), primary.std_error = w$stderr, primary.dof = w$parameter,
       primary.statistic = w$statistic, primary.p = w$p.value,
       primary.p_greater = t.test(a, b, alternative = "greater")$p.value,
       primary.p_tost = max(t.test(a, b, mu = -bound, alternative = "greater")$p.value,
                            t.test(a, b, mu = bound, alternative = "less")$p.value),
       primary.p_bound = t.test(a, b, mu = bound, alternative = "less")$p.value,
       primary.p_beyond = beyond("contrast", mean(a) - mean(b), w$stderr, w$parameter, bound),
       primary.ci95_low = w$conf.int[1], primary.ci95_high = w$conf.int[2],
       primary.ci99_low = ci99[1], primary.ci99_high = ci99[2])
}

primary_hc3 <- function(case, d, kind, fit, bound) {
  covariance <- vcovHC(fit, type = "HC3")
  # car refuses some covariance matrices whose units differ much
  second <- tryCatch(hccm(fit, type = "hc3"), error = function(e) covariance)
  stopifnot(all.equal(covariance, second, check.attributes = FALSE, tolerance = 1e-9))
  dof <- fit$df.residual
  row <- coeftest(fit, vcov. = covariance, df = dof)["tested", ]
  ci95 <- coefci(fit, "tested", vcov. = covariance, df = dof)
  ci99 <- coefci(fit, "tested", level = 0.99, vcov. = covariance, df = dof)
  keep_list(case, tests("primary", row[[1]], row[[2]], dof))
  keep_bounds(case, kind, row[[1]], row[[2]], dof, bound)
  keep(case, primary.ci95_low = ci95[1], primary.ci95_high = ci95[2],
       primary.ci99_low = ci99[1], primary.ci99_high = ci99[2])
}

keep_bounds <- function(case, kind, estimate, se, dof, bound) {
  keep(case, primary.p_greater = pt(estimate / se, dof, lower.tail = FALSE),
       primary.p_tost = max(pt((estimate + bound) / se, dof, lower.tail = FALSE), pt((estimate - bound) / se, dof)),
       primary.p_bound = pt((estimate - bound) / se, dof),
       primary.p_beyond = beyond(kind, estimate, se, dof, bound))
}

primary_cr2 <- function(case, d, kind, fit, z, bound) {
  even <- d
  if (length(z)) even[z] <- scale(d[z], center = kind != "paired")
  even_fit <- lm(formula(fit), even)
  cr2 <- coef_test(even_fit, vcov = "CR2", cluster = d$unit, test = "Satterthwaite")["tested", ]
  dof <- if (is.null(cr2$df_Satt)) cr2$df else cr2$df_Satt
  keep_list(case, tests("primary", cr2$beta, cr2$SE, dof))
  keep_bounds(case, kind, cr2$beta, cr2$SE, dof, bound)
  for (level in c(95, 99)) {
    limits <- conf_int(even_fit, vcov = "CR2", level = level / 100, cluster = d$unit, test = "Satterthwaite")
    limits <- limits[rownames(limits) == "tested" | limits$Coef == "tested", c("CI_L", "CI_U")]
    keep_list(case, setNames(as.list(unlist(limits)), paste0("primary.ci", level, c("_low", "_high"))))
  }
}

# emmeans reaches the adjusted contrast through its reference grid; it must be the coefficient
check_emmeans <- function(d, formula) {
  d$tested <- factor(d$tested, levels = c(1, 0))
  fit <- lm(formula, d)
  pair <- summary(pairs(emmeans(fit, "tested", vcov. = vcovHC(fit, type = "HC3"))))
  pair
}

effect <- function(case, d, kind, fit) {
  statistic <- summary(fit)$coefficients["tested", ]
  dof <- fit$df.residual
  limits <- noncentral_limits(statistic[[3]], dof)
  if (kind == "slope") {
    r <- t_to_r(statistic[[3]], dof)
    stopifnot(abs(r$CI_low - limits[1] / sqrt(limits[1]^2 + dof)) < 2e-3)
    keep(case, effect.value = r$r, effect.ci95_low = limits[1] / sqrt(limits[1]^2 + dof),
         effect.ci95_high = limits[2] / sqrt(limits[2]^2 + dof))
    return(invisible())
  }
  factor <- exp(lgamma(dof / 2) - lgamma((dof - 1) / 2)) / sqrt(dof / 2)
  plain <- length(coef(fit)) == (if (kind == "paired") 1 else 2)
  if (kind == "paired") {
    s <- sd(d$outcome)
    g <- if (plain) hedges_g(d$outcome) else NULL
  } else {
    a <- d$outcome[d$tested == 1]; b <- d$outcome[d$tested == 0]
    s <- sd_pooled(a, b)
    g <- if (plain) hedges_g(a, b, pooled_sd = TRUE) else NULL
  }
  unit <- factor * statistic[[2]] / s
  value <- factor * statistic[[1]] / s
  if (plain) {
    value <- g$Hedges_g
    # its optimiser leaves up to 0.001 of the interval
    stopifnot(abs(g$CI_low - unit * limits[1]) < 2e-3, abs(g$CI_high - unit * limits[2]) < 2e-3)
  }
  keep(case, effect.value = value, effect.ci95_low = unit * limits[1], effect.ci95_high = unit * limits[2])
}

brunner_munzel <- function(case, d) {
  a <- d$outcome[d$tested == 1]; b <- d$outcome[d$tested == 0]
  n <- length(a); m <- length(b); all_ranks <- rank(c(a, b))
  pooled <- c(mean(all_ranks[1:n]), mean(all_ranks[-(1:n)]))
  s <- c(sum((all_ranks[1:n] - rank(a) - pooled[1] + (n + 1) / 2)^2) / (n - 1),
         sum((all_ranks[-(1:n)] - rank(b) - pooled[2] + (m + 1) / 2)^2) / (m - 1))
  dof <- (n * s[1] + m * s[2])^2 / ((n * s[1])^2 / (n - 1) + (m * s[2])^2 / (m - 1))
  statistic <- n * m * (pooled[1] - pooled[2]) / ((n + m) * sqrt(n * s[1] + m * s[2]))
  value <- (pooled[1] - (n + 1) / 2) / m - 0.5
  keep_list(case, tests("brunner_munzel", value, value / statistic, dof))
}

partial_spearman <- function(case, d, z) {
  ranked <- as.data.frame(lapply(d[c("outcome", "tested", z)], rank))
  r <- if (length(z)) partial.r(ranked, c("outcome", "tested"), z)[1, 2] else cor(ranked$outcome, ranked$tested)
  dof <- nrow(d) - 2 - length(z)
  keep_list(case, tests("partial_spearman", r, sqrt((1 - r^2) / dof), dof))
}

sensitivity <- function(case, d, kind, fit, z) {
  keep(case, cooks.max = max(cooks.distance(fit)), cooks.sum = sum(cooks.distance(fit)))
  # clubSandwich's matrix roots lose digits when units differ by many powers of ten
  even <- d
  if (length(z)) even[z] <- scale(d[z], center = kind != "paired")
  cr2 <- coef_test(lm(formula(fit), even), vcov = "CR2", cluster = seq_len(nrow(d)), test = "Satterthwaite")["tested", ]
  dof <- if (is.null(cr2$df_Satt)) cr2$df else cr2$df_Satt
  keep_list(case, tests("hc2_bm", cr2$beta, cr2$SE, dof))
  robust <- rlm(model.matrix(fit), d$outcome, method = "M", psi = psi.huber, scale.est = "MAD", maxit = 2000, acc = 1e-14)
  huber <- summary(robust)$coefficients["tested", ]
  keep_list(case, tests("huber", huber[[1]], huber[[2]], fit$df.residual))
  if (kind == "contrast") brunner_munzel(case, d)
  if (kind == "slope") partial_spearman(case, d, z)
}

bayes <- function(case, d, kind, formula, z) {
  plain <- length(z) == 0
  if (kind == "paired" && !plain) return(invisible())
  if (kind != "slope" && plain) {
    x <- if (kind == "paired") d$outcome else d$outcome[d$tested == 1]
    y <- if (kind == "paired") NULL else d$outcome[d$tested == 0]
    factor <- extractBF(ttestBF(x, y))$bf
    greater <- extractBF(ttestBF(x, y, nullInterval = c(0, Inf)))$bf[1]
    keep(case, bayes.factor = factor, bayes.factor_greater = greater)
    return(invisible())
  }
  # the factor knows no units, but the sampler inverts X'X as it comes
  d <- as.data.frame(scale(d))
  full <- lmBF(formula, d, rscaleCont = "medium")
  factor <- extractBF(full)$bf
  if (!plain) factor <- factor / extractBF(lmBF(reformulate(z, "outcome"), d, rscaleCont = "medium"))$bf
  set.seed(1)
  draws <- posterior(full, iterations = 20000, progress = FALSE)[, "tested"]
  keep(case, bayes.factor = factor, bayes.sampled_share = mean(draws > 0))
}

exact_permutation <- function(case, d, kind, z) {
  n <- nrow(d); n_a <- sum(d$tested)
  if (kind == "slope" || length(z) || (if (kind == "paired") 2^n else choose(n, n_a)) > 5000) return(invisible())
  if (kind == "paired") {
    # the sign-flip distribution of the mean, by coin
    long <- data.frame(y = c(d$outcome, 0 * d$outcome), x = factor(rep(c("a", "b"), each = n)), block = factor(rep(1:n, 2)))
    p <- pvalue(symmetry_test(y ~ x | block, data = long, distribution = approximate(nresample = 10)))
    signs <- as.matrix(expand.grid(rep(list(c(1, -1)), n)))
    means <- abs(signs %*% d$outcome)
    p <- mean(means >= abs(sum(d$outcome)) * (1 - 1e-9))
  } else if (2 * n_a == n) {
    # with equal groups Welch's t orders the splits as the mean difference does
    p <- as.numeric(pvalue(oneway_test(outcome ~ factor(tested), d, distribution = exact(algorithm = "split-up"))))
  } else {
    statistics <- apply(combn(n, n_a), 2, function(i) abs(t.test(d$outcome[i], d$outcome[-i])$statistic))
    observed <- abs(t.test(d$outcome[d$tested == 1], d$outcome[d$tested == 0])$statistic)
    p <- mean(statistics >= observed * (1 - 1e-9))
  }
  keep(case, permutation.p_exact = p)
}

index <- read.delim(file.path(folder, "cases.tsv"))
for (i in seq_len(nrow(index))) {
  case <- index$name[i]; kind <- index$kind[i]; bound <- index$bound[i]
  d <- read.delim(file.path(folder, paste0(case, ".tsv")))
  z <- setdiff(names(d), c("outcome", "tested", "unit"))
  formula <- reformulate(c("tested", z), "outcome", intercept = kind != "paired")
  fit <- lm(formula, d, tol = 1e-12)
  switch(index$estimator[i], welch = primary_welch(case, d, bound), ols_hc3 = primary_hc3(case, d, kind, fit, bound),
         ols_cr2 = primary_cr2(case, d, kind, fit, z, bound))
  if (index$estimator[i] == "ols_hc3" && kind == "contrast") {
    pair <- check_emmeans(d, formula)
    stopifnot(all.equal(pair$estimate, coef(fit)[["tested"]], tolerance = 1e-9),
              all.equal(pair$SE, sqrt(vcovHC(fit, type = "HC3")["tested", "tested"]), tolerance = 1e-9))
  }
  plain <- summary(fit)$coefficients["tested", ]
  keep_list(case, tests("ols", plain[[1]], plain[[2]], fit$df.residual))
  effect(case, d, kind, fit)
  if (index$everything[i]) {
    sensitivity(case, d, kind, fit, z)
    bayes(case, d, kind, formula, z)
  }
  exact_permutation(case, d, kind, z)
}

# families, power and the noncentral t
p <- c(0.012, 0.03, 0.0004, 0.2, 0.03, 0.9)
adjusted <- p.adjust(p, "holm")
keep_list("holm", setNames(as.list(adjusted), paste0("holm.", seq_along(p))))
keep("power", power.two_18_18_g08 = power.t.test(18, 0.8, strict = TRUE)$power,
     power.two_52_52_g05 = power.t.test(52, 0.5, sig.level = 0.05 / 6, strict = TRUE)$power,
     power.detectable_18_18 = power.t.test(18, power = 0.8, strict = TRUE, tol = 1e-12)$delta,
     power.n_g05 = ceiling(power.t.test(delta = 0.5, power = 0.8, strict = TRUE)$n),
     power.cdf = pt(2.1, 13, 2.9))

# reliability of the IRI subscales: raw alpha, and omega of factanal's single factor on the items' scale
for (path in list.files(folder, "^items_", full.names = TRUE)) {
  items <- read.delim(path)
  case <- sub("[.]tsv$", "", basename(path))
  one <- factanal(items, 1, control = list(nstart = 1, opt = list(factr = 10, pgtol = 0, maxit = 10000)))
  common <- sum(one$loadings * sapply(items, sd))^2
  keep(case, reliability.alpha = suppressWarnings(psych::alpha(items, check.keys = FALSE))$total$raw_alpha,
       reliability.omega = common / (common + sum(one$uniquenesses * sapply(items, var))))
}

write.table(do.call(rbind, rows), arguments[2], sep = "\t", quote = FALSE, row.names = FALSE)
