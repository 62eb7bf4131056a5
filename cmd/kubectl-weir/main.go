// Command kubectl-weir is `kubectl weir`: it watches and steers the releases that Weir carries out.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // the ways to log in that kubectl knows, too
	"k8s.io/klog/v2"

	"weir.dev/weir/pkg/cli"
)

func main() {
	// client-go's log is not for who types a command; what matters of it comes back as an error.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	args := os.Args[1:]
	// kubectl asks a program of this name, beside the plugin, for what may follow `kubectl weir`; a link will do.
	if filepath.Base(os.Args[0]) == "kubectl_complete-weir" {
		args = append([]string{"__complete"}, args...)
	}
	interactive := term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
	code := cli.Run(ctx, args, cli.Terminal{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Interactive: interactive, Now: time.Now})
	stop()
	os.Exit(code)
}
