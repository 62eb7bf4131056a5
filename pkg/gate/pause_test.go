package gate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestPause(t *testing.T) {
	for range 100 {
		for made, longest := range map[int32]time.Duration{
			0: 100 * time.Millisecond, 1: 200 * time.Millisecond, 4: 1600 * time.Millisecond, 5: 2 * time.Second, 20: 2 * time.Second,
		} {
			got := pause(made, 0, 10*time.Second)
			assert.GreaterOrEqual(t, got, longest/2)
			assert.Less(t, got, longest)
		}
	}
	assert.Equal(t, 5*time.Second, pause(0, 5*time.Second, 10*time.Second), "as long as the server says")
	assert.Equal(t, 10*time.Second, pause(0, time.Hour, 10*time.Second), "but no longer than an attempt")
	assert.Positive(t, pause(0, -time.Hour, time.Second))
}

// TestSleep: no pause outlasts the context.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		assert.True(t, sleep(ctx, time.Second))
		start := time.Now()
		assert.False(t, sleep(ctx, time.Hour))
		assert.Equal(t, 59*time.Second, time.Since(start))
		assert.False(t, sleep(ctx, 0))
	})
}
