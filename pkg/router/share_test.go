package router_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"weir.dev/weir/pkg/router"
)

func TestPercentOf(t *testing.T) {
	for _, c := range []struct {
		weight, all int64
		want        int32
	}{
		{0, 0, 0}, {0, 100, 0}, {1, 100, 1}, {30, 100, 30}, {1, 3, 34}, {1, 1_000_000, 1}, {100, 100, 100}, {-1, 100, 0},
		{30, -10, 100}, {30, 29, 100}, {math.MaxInt64 / 2, math.MaxInt64, 50}, {math.MaxInt64 - 1, math.MaxInt64, 100},
		{math.MaxInt64, math.MinInt64, 100}, {math.MinInt64, math.MinInt64, 0},
	} {
		assert.Equal(t, c.want, router.PercentOf(c.weight, c.all), "%d of %d", c.weight, c.all)
	}
}
