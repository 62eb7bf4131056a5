package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlayedPrometheusHangs(t *testing.T) {
	p, err := playPrometheus(t.Context(), 20*time.Millisecond)
	require.NoError(t, err)
	defer func() { assert.NoError(t, p.server.Close()) }()
	ask := func(patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/query", nil)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			assert.Equal(t, http.StatusOK, answer.StatusCode)
			answer.Body.Close()
		}
		return err
	}
	begun := time.Now()
	require.NoError(t, ask(10*time.Second))
	assert.GreaterOrEqual(t, time.Since(begun), 20*time.Millisecond)
	goOn := p.hang()
	require.ErrorIs(t, ask(100*time.Millisecond), context.DeadlineExceeded)
	time.AfterFunc(50*time.Millisecond, goOn)
	require.NoError(t, ask(10*time.Second), "who waits is answered when it goes on")
	assert.Equal(t, int64(3), p.asked.Load())
}
