// Command weir is the operator: it releases new revisions of Deployments step by step.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	_ "golang.org/x/crypto/x509roots/fallback" // the image has no authorities to trust
)

// leastGarbage is how much the heap may grow between two collections, in percent, where GOGC does not say.
const leastGarbage = 20

func main() {
	if os.Getenv("GOGC") == "" {
		// Most of the heap are caches, which last: twice as much for what does not would be memory for nothing.
		debug.SetGCPercent(leastGarbage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "weir:", err)
		stop()
		os.Exit(1)
	}
}
