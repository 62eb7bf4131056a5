package gate

import (
	"context"
	"net/http"
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

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for said, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, "Mon, 23 Nov 2026 12:00:30 GMT": 30 * time.Second,
		"Mon, 23 Nov 2026 11:59:00 GMT": -time.Minute, "soon": 0, "-5": 0, "1.5": 0, "99999999999999999999": 0,
	} {
		assert.Equal(t, want, retryAfter(http.Header{"Retry-After": {said}}, now), said)
	}
	assert.Zero(t, retryAfter(http.Header{}, now))
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
