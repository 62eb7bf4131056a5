package evidence

import "math"

const (
	// twoWindows is the share of the way to the threshold, in logarithms, that one window can take the evidence: two
	// of them may suffice, one never does.
	twoWindows = 0.6
	// firstStake is how much of the capital is staked in the first window.
	firstStake = 0.8
)

// A pot is the capital of somebody who bets against a null hypothesis in fair or unfair games, beginning with 1. In
// each window with anything in it a part of what is in reserve is staked, evenly on all wagers, and each wager is
// multiplied with its e-value. So the capital is an e-process, and one that a long good time cannot ruin: what was not
// staked then is there when a bad time begins.
type pot struct {
	// Starts is how often something was staked.
	Starts int `json:"starts,omitempty"`
	// Stakes is the logarithm of what lies on each wager.
	Stakes []float32 `json:"stakes,omitempty"`
}

// reserve is what is not staked after n windows. Of what the first left, half is staked in the second, a third of the
// rest in the next, and so on, so that there is always some.
func reserve(n int, late bool) float64 {
	switch {
	case n == 0:
		return 1
	case !late:
		return 0
	}
	return (1 - firstStake) / float64(n)
}

// logCapital is the logarithm of the capital.
func (p pot) logCapital(late bool) float64 {
	if p.Starts == 0 {
		return 0
	}
	return logSum(math.Log(reserve(p.Starts, late)), logSumAll(p.Stakes))
}

// play stakes, and multiplies each wager with its e-value. With late, it stakes anew in each window; without, all of
// it at once. What one window would make of the capital beyond the limit, counted from 1 or from what it was if that
// was more, is thrown away.
func (p pot) play(logE []float64, late bool, logLimit float64) pot {
	if len(p.Stakes) != len(logE) {
		p = pot{}
	}
	most := math.Max(0, p.logCapital(late)) + logLimit
	next := pot{Starts: p.Starts + 1, Stakes: make([]float32, len(logE))}
	left := reserve(next.Starts, late)
	staked := math.Log((reserve(p.Starts, late) - left) / float64(len(logE)))
	logs := make([]float64, len(logE))
	for k, e := range logE {
		logs[k] = staked
		if p.Starts > 0 {
			logs[k] = logSum(float64(p.Stakes[k]), staked)
		}
		logs[k] += e
	}
	excess := math.Max(0, logSumAll(logs)-most-math.Log1p(-left*math.Exp(-most)))
	for k := range logs {
		next.Stakes[k] = stored(logs[k] - excess)
	}
	return next
}

// stored rounds a logarithm to what a state keeps of it.
func stored(v float64) float32 {
	const far = 1e30
	return float32(math.Max(-far, math.Min(far, v)))
}

// logSum is the logarithm of a sum of two numbers given by theirs.
func logSum(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

func logSumAll[F float32 | float64](logs []F) float64 {
	most := math.Inf(-1)
	for _, l := range logs {
		most = math.Max(most, float64(l))
	}
	if math.IsInf(most, -1) {
		return most
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(float64(l) - most)
	}
	return most + math.Log(sum)
}
