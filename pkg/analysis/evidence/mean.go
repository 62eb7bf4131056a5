package evidence

import "math"

// boldest is the share of the capital that one window may cost.
const boldest = 0.95

// A scale is how far the means of canary and primary, compared with what is tolerated, lay apart of late.
type scale struct {
	Size float32 `json:"size,omitempty"`
	N    float32 `json:"n,omitempty"`
	// Canary and Primary are the sums of the means, for the ratio.
	Canary  float32 `json:"canary,omitempty"`
	Primary float32 `json:"primary,omitempty"`
}

// signs are the logarithms of 1 + 0.95·tanh(lambda·difference/scale), the scale being that of past windows.
func (s scale) signs(difference float64) []float64 {
	if s.N == 0 {
		return nil
	}
	x := difference / (float64(s.Size) / float64(s.N))
	if math.IsNaN(x) {
		x = 0
	}
	var out []float64
	for _, lambda := range []float64{.5, 1, 2, 4} {
		out = append(out, math.Log1p(boldest*math.Tanh(lambda*x)))
	}
	return out
}

func (s scale) learn(difference, canary, primary float64) scale {
	s.Size = memory*s.Size + float32(math.Abs(difference))
	s.N = memory*s.N + 1
	s.Canary += float32(canary)
	s.Primary += float32(primary)
	return s
}
