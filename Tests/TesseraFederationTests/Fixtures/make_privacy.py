#!/usr/bin/env python3
"""Makes the reference values of the tests of privacy accounting; writes privacy.json beside itself.

Needs dp-accounting (0.6) and mpmath. Mechanisms are written as Swift's Codable writes PrivacyMechanism.

    renyi          events -> Rényi divergences at orders, and epsilons at deltas, by dp-accounting's RDP accountant
    replacement    the bound of Wang, Balle & Kasiviswanathan (2019), theorem 27, with its finite differences taken
                   in 60 to 400 digits; dp-accounting takes them in double precision, which is checked where that holds
    moments        divergences of a Poisson-subsampled Gaussian, by numerical integration in 30 digits
    losses         events -> epsilons at deltas and deltas at epsilons, by dp-accounting's PLD accountant, except for
                   randomised response, whose count it forgets and whose losses it rounds: that is a binomial sum
    calibrations   the smallest noise multipliers, by dp-accounting
    gaussian       exact sigma, epsilon and delta of the Gaussian mechanism, in 50 digits

For fractional orders of a Poisson-subsampled Gaussian dp-accounting adds the magnitudes of a series whose terms alternate,
which is up to a few percent too large, and infinite where it does not converge; here it integrates instead.
"""

import functools
import itertools
import json
import math
import pathlib
import re

import absl.logging
import dp_accounting
import mpmath
from dp_accounting import dp_event
from dp_accounting.gaussian_mechanism import get_sigma_gaussian
from dp_accounting.pld import PLDAccountant
from dp_accounting.privacy_accountant import NeighboringRelation
from dp_accounting.rdp import RdpAccountant, rdp_privacy_accountant

here = pathlib.Path(__file__).parent
# Where the series does not converge.
absl.logging.set_verbosity(absl.logging.ERROR)


def gaussian(sigma):
    return {"gaussian": {"noiseMultiplier": sigma}}


def laplace(scale):
    return {"laplace": {"noiseMultiplier": scale}}


def pure(epsilon):
    return {"pure": {"epsilon": epsilon}}


def sampled(sigma, rate):
    return {"subsampledGaussian": {"noiseMultiplier": sigma, "samplingRate": rate}}


def fixed_size(sigma, rate):
    return {"gaussianWithoutReplacement": {"noiseMultiplier": sigma, "samplingRate": rate}}


def reference(mechanism):
    (kind, values), = mechanism.items()
    if kind == "gaussian":
        return dp_event.GaussianDpEvent(values["noiseMultiplier"])
    if kind == "laplace":
        return dp_event.LaplaceDpEvent(values["noiseMultiplier"])
    if kind == "subsampledGaussian":
        inner = dp_event.GaussianDpEvent(values["noiseMultiplier"])
        return dp_event.PoissonSampledDpEvent(values["samplingRate"], inner)
    if kind == "pure":
        # Randomised response with two answers: epsilon = log(2/p - 1).
        return dp_event.RandomizedResponseDpEvent(2 / (1 + math.exp(values["epsilon"])), 2)
    raise ValueError(kind)


def relation(events):
    return NeighboringRelation.REPLACE_ONE if any("pure" in m for m, _ in events) else NeighboringRelation.ADD_OR_REMOVE_ONE


def compose(accountant, events):
    for mechanism, count in events:
        accountant.compose(reference(mechanism), count)
    return accountant


def swift(events):
    return [{"mechanism": mechanism, "count": count} for mechanism, count in events]


@functools.cache
def log_moment(q, sigma, alpha):
    """log A_α of a Poisson-subsampled Gaussian, from its definition."""
    mpmath.mp.dps = 30
    s, q, a = mpmath.mpf(sigma), mpmath.mpf(q), mpmath.mpf(alpha)

    def integrand(z):
        ratio = 1 - q + q * mpmath.exp(z / s - 1 / (2 * s * s))
        return mpmath.npdf(z) * (ratio**a - 1 - a * (ratio - 1))

    top = a / s + 12
    points = [-14 + k * (top + 14) / 12 for k in range(13)]
    return float(mpmath.log1p(mpmath.quad(integrand, points, method="gauss-legendre")))


series = rdp_privacy_accountant._compute_log_a_frac


def integral(q, sigma, alpha):
    exact = log_moment(q, sigma, alpha)
    assert series(q, sigma, alpha) > exact * (1 - 1e-9)
    return exact


rdp_privacy_accountant._compute_log_a_frac = integral

deltas = [1e-3, 1e-5, 1e-8]

# --- Rényi ----------------------------------------------------------------------------------------------------

orders = [1.1, 1.5, 2, 2.5, 3, 4.7, 8, 10.9, 16, 33, 64, 256]
renyi = []
for events in [
    [(gaussian(0.7), 1)],
    [(gaussian(5), 40)],
    [(laplace(0.5), 1)],
    [(laplace(10), 25)],
    [(pure(0.3), 3)],
    [(pure(4), 2)],
    [(pure(1e-3), 50)],
    [(sampled(1.0, 0.01), 1000)],
    [(sampled(0.6, 0.004), 5000)],
    [(sampled(4.0, 0.3), 100)],
    [(sampled(1.3, 1.0), 10)],
    [(sampled(2.0, 0.9), 7)],
    [(sampled(1.1, 256 / 60000), 14000)],
    [(gaussian(8), 3), (laplace(12), 5), (sampled(1.5, 0.05), 200)],
]:
    accountant = compose(RdpAccountant(orders, relation(events)), events)
    whole = compose(RdpAccountant(None, relation(events)), events)
    renyi.append({
        "events": swift(events),
        "orders": orders,
        "divergences": list(accountant.rdp),
        "epsilons": [[d, accountant.get_epsilon(d)] for d in deltas],
        "deltas": [[e, accountant.get_delta(e)] for e in [0.5, 2, 6]],
        "default": [[d, whole.get_epsilon(d)] for d in deltas],
    })

# --- without replacement --------------------------------------------------------------------------------------


def replacement_moment(sigma, rate, alpha):
    """log of theorem 27's bound at a whole order up to 256."""
    if alpha == 1:
        return mpmath.mpf(0)
    mpmath.mp.dps = 400
    s, q = mpmath.mpf(sigma), mpmath.mpf(rate)
    f = [mpmath.exp(mpmath.mpf(k * (k - 1)) / (2 * s * s)) for k in range(alpha + 3)]

    def difference(order):
        return mpmath.fsum((-1) ** (order - k) * mpmath.binomial(order, k) * f[k] for k in range(order + 1))

    even = {j: difference(j) for j in range(2, alpha + 2, 2)}
    total = 1 + mpmath.binomial(alpha, 2) * q**2 * min(4 * (f[2] - 1), 2 * f[2])
    for j in range(3, alpha + 1):
        term = 4 * mpmath.sqrt(even[j // 2 * 2] * even[(j + 1) // 2 * 2])
        total += mpmath.binomial(alpha, j) * q**j * min(term, 2 * f[j])
    return mpmath.log(total)


replacement = []
for sigma, rate in [(1.0, 0.01), (0.4, 0.002), (2.0, 0.05), (5.0, 0.3), (30.0, 0.1), (1.5, 0.8)]:
    values = []
    chosen = [1.5, 2, 2.25, 3, 7.5, 16, 47, 64, 128, 256]
    for order in chosen:
        below = math.floor(order)
        moment = replacement_moment(sigma, rate, below)
        if order > below:
            moment += (order - below) * (replacement_moment(sigma, rate, below + 1) - moment)
        values.append(float(min(moment / (order - 1), order / (2 * mpmath.mpf(sigma) ** 2))))
    event = dp_event.SampledWithoutReplacementDpEvent(10000, round(10000 * rate), dp_event.GaussianDpEvent(sigma))
    other = RdpAccountant(chosen, NeighboringRelation.REPLACE_ONE).compose(event).rdp
    for order, ours, theirs in zip(chosen, values, other):
        theirs = min(theirs, order / (2 * sigma**2))
        if order <= 3 or sigma <= 2:
            assert abs(ours - theirs) < 1e-6 * ours, (sigma, rate, order, ours, theirs)
    replacement.append({"mechanism": fixed_size(sigma, rate), "orders": chosen, "divergences": values})

# --- moments of the Poisson-subsampled Gaussian ---------------------------------------------------------------

moments = []
for sigma, rate in [(1.0, 0.01), (0.5, 0.1), (3.0, 1e-6), (0.25, 0.001), (20.0, 0.5)]:
    chosen = [1.1, 1.7, 2, 2.5, 3, 5.3, 8, 10.9]
    moments.append({
        "mechanism": sampled(sigma, rate),
        "orders": chosen,
        "divergences": [log_moment(rate, sigma, order) / (order - 1) for order in chosen],
    })

# --- privacy losses -------------------------------------------------------------------------------------------



class Binomial:
    """The exact privacy of randomised response with two answers, used a number of times."""

    def __init__(self, epsilon, count):
        mpmath.mp.dps = 40
        likely = 1 / (1 + mpmath.exp(-mpmath.mpf(epsilon)))
        self.losses = [
            ((2 * k - count) * mpmath.mpf(epsilon), mpmath.binomial(count, k) * likely**k * (1 - likely) ** (count - k))
            for k in range(count + 1)
        ]

    def get_delta(self, epsilon):
        return float(mpmath.fsum(p * (1 - mpmath.exp(epsilon - loss)) for loss, p in self.losses if loss > epsilon))

    def get_epsilon(self, delta):
        low, high = mpmath.mpf(0), self.losses[-1][0]
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if self.get_delta(middle) > delta else (low, middle)
        return float(high)


losses = []
for events, interval in [
    ([(gaussian(1.0), 1)], 1e-3),
    ([(gaussian(20.0), 300)], 1e-3),
    ([(laplace(2.0), 1)], 1e-3),
    ([(laplace(10.0), 30)], 1e-3),
    ([(pure(0.25), 40)], 1e-3),
    ([(sampled(1.0, 0.01), 1)], 1e-3),
    ([(sampled(1.0, 0.01), 1000)], 1e-3),
    ([(sampled(0.7, 0.2), 20)], 1e-3),
    ([(sampled(2.0, 0.7), 50)], 1e-3),
    ([(sampled(1.1, 256 / 60000), 14000)], 1e-4),
    ([(gaussian(10.0), 5), (laplace(15.0), 8), (sampled(1.2, 0.03), 60), (sampled(3.0, 0.5), 4)], 1e-3),
]:
    if "pure" in events[0][0]:
        accountant = Binomial(events[0][0]["pure"]["epsilon"], events[0][1])
    else:
        accountant = compose(PLDAccountant(relation(events), interval), events)
    losses.append({
        "events": swift(events),
        "interval": interval,
        "epsilons": [[d, accountant.get_epsilon(d)] for d in deltas],
        "deltas": [[e, accountant.get_delta(e)] for e in [0.1, 1, 2.5]],
    })

# --- calibrations ---------------------------------------------------------------------------------------------

calibrations = []
for kind, epsilon, delta, rate, count in [
    ("rdp", 1.0, 1e-5, 1.0, 1),
    ("rdp", 2.0, 1e-6, 0.01, 1000),
    ("rdp", 8.0, 1e-5, 0.2, 50),
    ("pld", 1.0, 1e-5, 1.0, 10),
    ("pld", 2.0, 1e-6, 0.02, 300),
]:
    def event(sigma):
        inner = dp_event.GaussianDpEvent(sigma)
        return dp_event.SelfComposedDpEvent(dp_event.PoissonSampledDpEvent(rate, inner) if rate < 1 else inner, count)

    make = RdpAccountant if kind == "rdp" else PLDAccountant
    sigma = dp_accounting.calibrate_dp_mechanism(make, event, epsilon, delta, tol=1e-7)
    calibrations.append({
        "budget": {"epsilon": epsilon, "delta": delta, "accountant": kind},
        "samplingRate": rate, "count": count, "noiseMultiplier": sigma,
    })

# --- the Gaussian mechanism -----------------------------------------------------------------------------------


def gaussian_delta(sigma, epsilon):
    mpmath.mp.dps = 50
    s, e = mpmath.mpf(sigma), mpmath.mpf(epsilon)
    return mpmath.ncdf(1 / (2 * s) - e * s) - mpmath.exp(e) * mpmath.ncdf(-1 / (2 * s) - e * s)


exact = []
for sigma, epsilon in itertools.product([0.3, 1.0, 4.0, 25.0], [0.0, 0.1, 1.0, 5.0]):
    delta = gaussian_delta(sigma, epsilon)
    if delta > 1e-250:
        if 0.0 < epsilon and delta > 1e-12:
            assert abs(get_sigma_gaussian(epsilon, float(delta)) - sigma) < 1e-8 * sigma
        exact.append({"noiseMultiplier": sigma, "epsilon": epsilon, "delta": float(delta)})
exact.append({"noiseMultiplier": 0.02, "epsilon": 1000.0, "delta": float(gaussian_delta(0.02, 1000.0))})

document = {
    "renyi": renyi, "replacement": replacement, "moments": moments, "losses": losses,
    "calibrations": calibrations, "gaussian": exact,
}
text = json.dumps(document, indent=1, allow_nan=False)
# Lists of numbers on one line each.
text = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found.group().split()), text)
(here / "privacy.json").write_text(text + "\n")
