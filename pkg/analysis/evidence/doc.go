// Package evidence tells whether a canary is worse than its primary, from counts of both, in a way that may be looked
// at as often as one likes. It has no clock, no I/O and no random numbers. Numbers go in, numbers come out, and none is
// NaN or infinite.
//
// # How it is used
//
// Between turns two readings of counters into a Sample, one for each side; both make a Window. Test.Update counts a
// window and gives the next State, which is plain and small, goes through JSON unchanged, and is all there is to keep.
// It changes no argument. A window that begins before the end of the last that was counted changes nothing, so that a
// window which is handed in twice, after a crash or by mistake, counts once. Test.Result reads a state. Combine weighs
// the results of several tests. Windows are cut where the weight changes.
//
// # What it rests on
//
// An e-value is a number that is at most 1 on average when the null hypothesis holds: what a bet of 1 against it pays.
// Bets that follow each other, each fair whatever came before, multiply. By Ville's inequality the capital then ever
// reaches 1/alpha with probability alpha at most, however often one looks and whenever one stops (Ramdas, Grünwald,
// Vovk and Shafer, arXiv 2210.01948). Windows are multiplied, never added up, because weights, load and base rates
// change from one to the next.
//
// Rare errors. A window has n requests of the canary's of which x were bad, and m and y of the primary's; r = n/m. If
// the canary's share is R times the primary's, a bad request is the canary's with probability p(R) = rR/(1+rR). For
// R0 the tolerance and Rk = R0·exp(d), with d = .1 .2 .35 .5 .7 1 1.4 1.9 2.5 3.2,
//
//	ln e = x·ln(p(Rk)/p(R0)) + y·ln((1-p(Rk))/(1-p(R0))) = x·d - (x+y)·ln((1+r·Rk)/(1+r·R0)).
//
// (Lindon and Malek, arXiv 2011.03567, who mix over a Beta prior.) For a canary at most R0 times as bad as the primary
// this is fair for any independent requests, not only for Poisson counts, and however frequent errors are: with
// u = p(Rk)/p(R0) and v = (1-p(Rk))/(1-p(R0)), the mean of e is at most exp(n·c·(u-1) + m·b·(v-1)) for shares c and b,
// by 1+z ≤ exp(z), and that is 1 where c = R0·b.
//
// Frequent errors. The same bet wins less than it could when errors are frequent. Then the two binomials themselves
// are compared: b is the share of the primary's requests that were bad of late, c has R0·b's odds times exp(d), and
//
//	ln e = x·ln(c/(R0·t)) + (n-x)·ln((1-c)/(1-R0·t)) + y·ln(b/t) + (m-y)·ln((1-b)/(1-t)),
//
// where (R0·t, t) is the pair of shares at the edge of the null that is nearest to (c, b) in the sense of n and m times
// the divergence of Kullback and Leibler; for R0 = 1 it is the weighted mean (Turner, Ly and Grünwald, arXiv
// 2106.02693; for other convex nulls Turner and Grünwald, arXiv 2203.09785). It is fair for every pair in the null,
// which is convex: ln z ≤ z-1 makes of the logarithm of the mean of e the derivative of that divergence at its least,
// towards another pair of the null. For each window this form is taken if, in the windows before, 5 % or more of the
// primary's requests were bad, and 10 at least. So the choice is made before the window is seen; whichever is taken is
// fair, and the product is an e-process.
//
// By Jensen's inequality the same proofs say more: a window in which the canary, as counted, was no worse than
// tolerated is never evidence against it.
//
// Latencies by a bound of the histogram are errors: a slower request is bad. Without one, distributions are compared.
// The null is that beyond no bound there is more than R0 times the primary's share of requests. The alternative takes
// the primary's distribution q of late, multiplies all buckets but the fastest with R0, and tilts that by
// exp(4·eta·s), eta = .1 .2 .4 .8, where s is the bucket's middle rank, or how far out in the tail it is:
// ln(1-rank)/ln(0.001), 1 at most. With R0 = 1 the bet is for each bucket j
//
//	ln e = sum of x_j·ln(c_j/a_j) + y_j·ln(q_j/a_j),  a = (n·c + m·q)/(n+m).
//
// With a tolerance, the fastest buckets are taken together until it can move no more than they hold, and the nearest
// point at the edge is found as above, for being in the first bucket or not, and by mixing within the rest. It is fair
// at the edge as above, and within by the order of the two: the factor of the canary grows with the latency, so that a
// faster canary has a smaller mean. Tilts for which it would not grow are left out.
//
// Means come as one number a window, without a bound and with an unknown variance, and nothing but a constant is known
// to be fair for that. What is assumed is that the difference D of the canary's mean and R0 times the primary's is
// symmetric about its centre, as the difference of two means of many requests nearly is. Then, for L = .5 1 2 4 and a
// scale taken from windows before,
//
//	e = 1 + 0.95·tanh(L·D/scale)
//
// is 1 on average when the centre is 0, and grows with D. (Without the 0.95 it is exp(LD)/cosh(LD); Vovk and Wang,
// "Nonparametric e-tests of symmetry", arXiv 2208.08925.) The first window gives the scale, and each that follows
// doubles the capital at most: no mean is judged in less than six.
//
// The split. Each request is the canary's with the probability that the weight says, or with odds that are off by the
// tolerance at most. That is the form for rare errors, in both directions, with requests for errors; the capitals are
// halved and added.
//
// # What is done with the bets
//
// Late. Of a capital of 1, 0.8 is staked in the first window with anything in it, evenly on all alternatives; of the
// rest, half, a third, a fourth … in those that follow. So a canary that turns bad after an hour is not first to pay
// back what an hour was good for. (A mixture over when it turned bad, as in Shin, Ramdas and Rinaldo's e-detectors,
// arXiv 2203.03532, but of a total of 1, which keeps alpha for the whole.)
//
// Bursts. Errors are not independent. The logarithm of every e-value of a window is divided by F, which is
// max(1, (P + sum)/(1 + number)) of chi-squares, of one degree of freedom, that compare the split of bad requests in
// neighbouring blocks of past windows. (For distributions, the difference of mean scores in neighbouring windows.)
// P is 3 at first, and then (3 + sum)/(1 + number), from 1 to 10, of such that compare the primary's own share of bad
// requests in neighbouring blocks: a canary with few requests says nothing about bursts for long. F is known before the
// window and at least 1, so that what is fair stays so, by Jensen's inequality; what is not because of bursts becomes
// less unfair. Neighbours are compared because a canary that is worse varies as little as one that is not, and
// comparing with what is expected of a good one would take a regression for a burst.
//
// Two windows. One window cannot take the capital further than alpha to the power of -0.6, from 1 or from what it was.
// The rest is thrown away, which only makes e smaller.
//
// Early pass. The mirrored bets, against a canary that is Limit times as bad or more, with d negative. It passes at
// 1/beta. All is staked at once: what was bad in the beginning counts. Where distributions are compared, the shares of
// requests beyond one bound are: the first that at most a tenth of the primary's exceeded.
//
// The ratio is estimated after Mantel and Haenszel. Its bounds are those ratios, from 1/16 to 16, of which the mixture
// of all others would reach 1/alpha, a confidence sequence after Robbins; so they hold at all times together.
//
// Several tests: the mean of e-values is one, however they depend on each other.
//
// # What it cannot promise
//
// Alpha holds for requests that fail independently, given the past. In bursts they do not, and alpha is nominal; what
// it comes to is in docs/analysis.md, by simulation. It is also assumed that how many requests there are does not
// depend on how many of them fail: clients that try again at once break that, on either side. And that canary and
// primary get the same sort of requests, which a canary chosen by header does not.
package evidence
