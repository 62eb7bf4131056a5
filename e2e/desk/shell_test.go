package desk

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/pages"
)

func shell(t *testing.T) *Shell {
	t.Helper()
	s := &Shell{Folder: t.TempDir(), Env: []string{"GREETING=hello"}, Words: map[string]string{"NAME": "ann"}, Log: t.Output()}
	t.Cleanup(s.Close)
	return s
}

func TestType(t *testing.T) {
	s := shell(t)
	said, err := s.Type(t.Context(), `echo "$GREETING NAME UNNAMED"   # to NAME`)
	require.NoError(t, err)
	assert.Equal(t, "hello ann UNNAMED\n", said)
	for _, wrong := range []string{"exit 3", "false | cat", "echo $unset", "false\ntrue"} {
		_, err = s.Type(t.Context(), wrong)
		ended := (*exec.ExitError)(nil)
		assert.True(t, errors.As(err, &ended), wrong)
	}
	_, err = s.Type(t.Context(), "exit 3")
	require.Error(t, err)
	said, err = s.Type(t.Context(), "echo $?")
	require.NoError(t, err)
	assert.Equal(t, "3\n", said)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Type(short, "sleep 60")
	require.Error(t, err)
	require.Error(t, short.Err())
}

func TestUntil(t *testing.T) {
	s := shell(t)
	has := func(word string) func(string) bool {
		return func(said string) bool { return strings.Contains(said, word) }
	}
	said, err := s.Until(t.Context(), "echo one; sleep 0.1; echo two; sleep 60", has("two"))
	require.NoError(t, err)
	assert.Equal(t, "one\ntwo\n", said)
	_, err = s.Until(t.Context(), "echo one", has("two"))
	require.ErrorContains(t, err, "ended before enough was seen:\none")
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = s.Until(short, "echo one; sleep 60", has("two"))
	require.ErrorContains(t, err, "did not show enough:\none")
}

func TestBackground(t *testing.T) {
	s := shell(t)
	_, err := s.Type(t.Context(), "sleep 0.1; touch there; sleep 60 &")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(s.Folder, "there"))
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	p := s.background[0]
	s.Close()
	assert.Error(t, p.err)
}

func TestCheckout(t *testing.T) {
	s := shell(t)
	require.NoError(t, Checkout("../..", s.Folder, "http://prometheus.monitoring:9090", "http://elsewhere"))
	s.Outside = []string{"one", "two"}
	require.NoError(t, s.Write(pages.Step{File: "mine/kustomization.yaml", Content: "namePrefix: one\n"}))
	said, err := s.Type(t.Context(), "cat mine/*; cat weir/artifacts/examples/metrictemplate.yaml; make -C weir help")
	require.NoError(t, err)
	assert.Contains(t, said, "namePrefix: two\n")
	assert.Contains(t, said, "address: http://elsewhere\n")
	assert.Contains(t, said, "kubectl-weir ")
}
