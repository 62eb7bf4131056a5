// Command sandbox brings the cluster of Weir's tests up and down by hand.
//
//	go run ./e2e/sandbox/cmd/sandbox up
//	eval "$(go run ./e2e/sandbox/cmd/sandbox env)"
//	go run ./e2e/sandbox/cmd/sandbox kubectl get pods -A
//	go run ./e2e/sandbox/cmd/sandbox status
//	go run ./e2e/sandbox/cmd/sandbox down
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"weir.dev/weir/e2e/sandbox"
)

const usage = "usage: sandbox up | down | status | env | kubectl ARGS... ($WEIR_SANDBOX_DIR is its folder)"

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	err := run(ctx, os.Args[1:])
	// Bare, it is kubectl's own, which has said why; wrapped, it is another's.
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // bare is what is meant
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	options := sandbox.Options{Progress: os.Stderr}
	switch args[0] {
	case "up":
		_, err := sandbox.Up(ctx, options)
		return err
	case "down":
		return sandbox.Down(ctx, options)
	case "status", "env", "kubectl":
		s, err := sandbox.Open(options)
		if err != nil {
			return err
		}
		return with(ctx, s, args[0], args[1:])
	default:
		return errors.New(usage)
	}
}

// with does what needs a sandbox that is up.
func with(ctx context.Context, s *sandbox.Sandbox, command string, args []string) error {
	switch command {
	case "status":
		for _, line := range s.Status(ctx) {
			fmt.Println(line)
		}
	case "env":
		for _, line := range s.Environment() {
			fmt.Println("export " + line)
		}
	case "kubectl":
		kubectl := exec.CommandContext(ctx, s.Kubectl(), args...)
		kubectl.Env = append(os.Environ(), "KUBECONFIG="+s.Kubeconfig)
		kubectl.Stdin, kubectl.Stdout, kubectl.Stderr = os.Stdin, os.Stdout, os.Stderr
		return kubectl.Run()
	}
	return nil
}
