package settings_test

import (
	"log/slog"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/settings"
)

func TestFromEnvironment(t *testing.T) {
	t.Setenv("WEIR_MAX_TASKS", "7")
	t.Setenv("WEIR_PORT", "tcp://10.0.0.1:80")
	t.Setenv("WEIR_NAMESPACES", "shop,test")
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	tasks, port := flags.Int("max-tasks", 1, ""), flags.Int("port", 8080, "")
	namespaces := flags.StringSlice("namespaces", nil, "")
	require.NoError(t, flags.Parse([]string{"--namespaces=given"}))
	require.ErrorContains(t, settings.FromEnvironment(flags), "WEIR_PORT: ")
	assert.Equal(t, 7, *tasks)
	assert.Equal(t, 8080, *port)
	assert.Equal(t, []string{"given"}, *namespaces, "a flag on the command line wins")
}

func TestLogger(t *testing.T) {
	log, err := (&settings.Log{Level: "debug", Format: "text"}).Logger(slog.LevelInfo)
	require.NoError(t, err)
	assert.False(t, log.Enabled(t.Context(), slog.LevelDebug), "the least level holds, too")
	_, err = (&settings.Log{Level: "loud", Format: "json"}).Logger(slog.LevelDebug)
	require.EqualError(t, err, `--log-level "loud" is none of debug, info, warn, error`)
	_, err = (&settings.Log{Level: "info", Format: "xml"}).Logger(slog.LevelDebug)
	require.EqualError(t, err, `--log-format "xml" is neither json nor text`)
}
