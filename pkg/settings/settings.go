// Package settings is how Weir's programs are told what to do: by flags, by the environment where a flag was not
// given, and the log that these say how to write.
package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// FromEnvironment fills flags that were not given from WEIR_… variables, as in WEIR_LOG_LEVEL for --log-level. The error
// names every variable that has what its flag does not take.
func FromEnvironment(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "WEIR_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := os.LookupEnv(name); ok && !f.Changed {
			if err := flags.Set(f.Name, value); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	return failed
}

// Log says how a program writes its log.
type Log struct {
	Level, Format string
}

// AddFlags adds the flags of a log, with their defaults.
func (l *Log) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&l.Level, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&l.Format, "log-format", "json", "json or text")
}

// Logger writes to standard error what is at least as grave as the flag and the least level say.
func (l *Log) Logger(least slog.Level) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn, error", l.Level)
	}
	options := &slog.HandlerOptions{Level: max(level, least)}
	switch l.Format {
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, options)), nil
	}
	return nil, fmt.Errorf("--log-format %q is neither json nor text", l.Format)
}
