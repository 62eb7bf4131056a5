// Command demo shows Weir's main job on a cluster that it brings up by itself: a good release of podinfo
// is promoted and a bad one is rolled back, while a client sends requests through the gateway and counts
// every answer.
//
//	go run ./e2e/demo
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// analysis is short, so that the demo is; a real one takes minutes.
const analysis = `    interval: 5s
    threshold: 2
    stepWeights: [10, 30, 60]
    metrics:
    - name: request-success-rate
      interval: 10s
      thresholdRange: {min: 99}
    - name: request-duration
      interval: 10s
      thresholdRange: {max: 500}
`

// rate is in requests a second.
const rate = 100

func main() {
	keep := flag.Bool("keep", false, "leave the cluster, Weir and the application as they are at the end")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Stdout, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, keep bool) (err error) {
	heading(out, "A cluster")
	s, err := stage.Raise(ctx, out)
	if err != nil {
		return err
	}
	app := &stage.Application{Stage: s, Namespace: "demo", Name: "podinfo", Host: "podinfo.demo.test", Replicas: 3}
	defer func() {
		if !keep {
			heading(out, "Cleaning up")
			err = errors.Join(err, clear(app))
		}
	}()
	heading(out, "Weir, by kustomize/gatewayapi")
	if err := s.Install(ctx, stage.Overlay{}); err != nil {
		return err
	}
	if err := app.Remove(ctx); err != nil { // what was kept before
		return err
	}
	heading(out, "podinfo, and 100 requests a second to it")
	if err := app.Deploy(ctx, stage.Version{Label: "one"}); err != nil {
		return err
	}
	requests, err := begin(ctx, app)
	if err != nil {
		return err
	}
	defer requests.Stop()
	heading(out, "The Deployment is taken over: no pod is touched")
	if err := app.Manage(ctx, analysis); err != nil {
		return err
	}
	if _, err := watch(ctx, out, app, stage.InPhase(v1beta1.PhaseInitialized)); err != nil {
		return err
	}
	good, err := release(ctx, out, app, requests, "A good release", stage.Version{Label: "two"})
	if err != nil {
		return err
	}
	bad, err := release(ctx, out, app, requests, "A bad release: --random-error",
		stage.Version{Label: "three", Args: []string{"--random-error"}, OpenPort: true})
	if err != nil {
		return err
	}
	summarise(out, good, bad)
	switch {
	case good.outcome != v1beta1.OutcomePromoted || bad.outcome != v1beta1.OutcomeRolledBack:
		return fmt.Errorf("the good release ended %s and the bad one %s", good.outcome, bad.outcome)
	case good.requests.Lost+bad.requests.Lost > 0:
		return fmt.Errorf("requests were lost: %v %v", good.requests.Examples, bad.requests.Examples)
	}
	return nil
}

// begin starts the load once the gateway serves the application.
func begin(ctx context.Context, app *stage.Application) (*load.Load, error) {
	config := load.Config{URL: app.Stage.Sandbox.TraefikURL, Host: app.Host, Path: "/", Rate: rate}
	if err := load.AwaitOK(ctx, config); err != nil {
		return nil, err
	}
	return load.Start(ctx, config), nil
}

// clear goes on when the demo is interrupted.
func clear(app *stage.Application) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := app.Remove(ctx); err != nil {
		return err
	}
	return app.Stage.Strike(ctx)
}
