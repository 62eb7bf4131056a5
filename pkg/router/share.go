package router

import "math/bits"

// PercentOf is the part that a weight is of all, in percent rounded up. It is from 0 to 100 whatever somebody has written
// into a route: a negative weight gets nothing, and one that is more than all gets all.
func PercentOf(weight, all int64) int32 {
	const full = 100
	switch {
	case weight <= 0:
		return 0
	case all <= weight:
		return full
	}
	high, low := bits.Mul64(uint64(weight), full)
	percent, rest := bits.Div64(high, low, uint64(all))
	if rest > 0 {
		percent++
	}
	return int32(percent)
}
