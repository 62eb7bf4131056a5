package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProfiles(t *testing.T) {
	var said bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&said, nil))
	require.NoError(t, serveProfiles(t.Context(), "", log))
	assert.Empty(t, said.String(), "they are off by default")

	require.NoError(t, serveProfiles(t.Context(), "127.0.0.1:0", log))
	var told struct{ Address string }
	require.NoError(t, json.Unmarshal(said.Bytes(), &told))
	for path, code := range map[string]int{
		"heap?debug=1": http.StatusOK, "goroutine?debug=1": http.StatusOK, "profile?seconds=1": http.StatusOK,
		"cmdline": http.StatusNotFound, // a flag may be a secret
	} {
		answer, err := http.Get("http://" + told.Address + "/debug/pprof/" + path)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, code, answer.StatusCode, path)
		assert.NotEmpty(t, body, path)
	}

	err := serveProfiles(t.Context(), told.Address, log)
	assert.ErrorContains(t, err, "--pprof-address: listen tcp "+told.Address)
}
