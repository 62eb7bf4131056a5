package outbound_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"weir.dev/weir/pkg/outbound"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for said, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, "Mon, 23 Nov 2026 12:00:30 GMT": 30 * time.Second,
		"Mon, 23 Nov 2026 11:59:00 GMT": -time.Minute, "soon": 0, "-5": 0, "1.5": 0, "99999999999999999999": 0,
	} {
		assert.Equal(t, want, outbound.RetryAfter(http.Header{"Retry-After": {said}}, now), said)
	}
	assert.Zero(t, outbound.RetryAfter(http.Header{}, now))
}
