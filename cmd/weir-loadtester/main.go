// Command weir-loadtester is what the webhooks of Canaries call: it sends load, runs acceptance tests and holds gates.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	_ "golang.org/x/crypto/x509roots/fallback" // the image has no authorities to trust
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "weir-loadtester:", err)
		stop()
		os.Exit(1)
	}
}
