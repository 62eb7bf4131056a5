package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

const (
	// interval of the rounds.
	interval = 30 * time.Second
	// patience is how long a release may take; none here takes half of it.
	patience = 8 * time.Minute
	// held is how long a release that has nothing to be judged by is looked at.
	held = 90 * time.Second
	// slow is what hurts a user of an application that takes 100 ms on average, and never 150.
	slow = 160 * time.Millisecond
)

// play is one release with the guard on or off.
type play struct {
	stage    *stage.Stage
	scenario scenario
	guard    bool
}

func (p *play) analysis() string {
	return fmt.Sprintf(`    interval: %s
    threshold: 1
    stepWeights: [10, 50]
    guard: {disabled: %t}
    metrics:
    - name: request-success-rate
      comparison: {}
    - name: request-duration
      comparison: {}
`, interval, !p.guard)
}

func (p *play) version(label string, args []string) stage.Version {
	return stage.Version{Label: label, Image: image, Program: "/faulty", Args: args}
}

// tell plays the release, from an application of its own to the end.
func (p *play) tell(ctx context.Context) (r result, err error) {
	const namespace = "evidence"
	app := &stage.Application{Stage: p.stage, Namespace: namespace, Name: "faulty", Host: namespace + ".test", Replicas: 3}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Minute)
		defer cancel()
		err = errors.Join(err, app.Remove(ctx))
	}()
	if err := app.Remove(ctx); err != nil {
		return r, err
	}
	if err := app.Deploy(ctx, p.version("serves", p.scenario.serves)); err != nil {
		return r, err
	}
	config := load.Config{URL: p.stage.Sandbox.TraefikURL, Host: app.Host, Path: "/", Rate: rate}
	if err := load.AwaitOK(ctx, config); err != nil {
		return r, err
	}
	stop := sync.OnceValue(load.Start(ctx, config).Stop)
	defer func() {
		answers := stop()
		r.hurt, r.answers = p.count(answers)
		r.lost = load.Summarise(answers, time.Time{}).Lost
	}()
	if err := app.Manage(ctx, p.analysis()); err != nil {
		return r, err
	}
	if _, err := app.Await(ctx, patience, stage.InPhase(v1beta1.PhaseInitialized)); err != nil {
		return r, err
	}
	time.Sleep(interval) // what served before is known to Prometheus
	if p.scenario.quiet {
		stop()
		time.Sleep(10 * time.Second) // the last of it is counted
	}
	if err := app.Release(ctx, p.version("release", p.scenario.release)); err != nil {
		return r, err
	}
	return p.follow(ctx, app)
}

// follow waits from the release's first traffic on until it has ended, or is held for long enough.
func (p *play) follow(ctx context.Context, app *stage.Application) (r result, err error) {
	begun, err := app.Await(ctx, patience, func(c *v1beta1.Canary) bool {
		return stage.AtWeight(10)(c) && c.Status.Step.TrafficSince != nil
	})
	if err != nil {
		return r, err
	}
	since := begun.Status.Step.TrafficSince.Time
	limit := patience
	if p.scenario.dark {
		if err := p.stage.Sandbox.StopPrometheus(ctx); err != nil {
			return r, err
		}
		defer func() {
			err = errors.Join(err, p.stage.Sandbox.StartPrometheus(context.WithoutCancel(ctx)))
		}()
	}
	if p.scenario.dark || p.scenario.quiet {
		limit = held
	}
	c, err := app.Await(ctx, limit, stage.RunsEnded(1))
	switch {
	case wait.Interrupted(err) && ctx.Err() == nil && limit == held:
		return result{ended: "Held", after: held}, nil
	case err != nil:
		return r, err
	}
	run := c.Status.History[0]
	return result{ended: string(run.Outcome), after: run.EndedAt.Sub(since).Round(time.Second)}, nil
}

// count says how many of the release's answers hurt a user.
func (p *play) count(answers []load.Answer) (hurt, all int) {
	for _, a := range answers {
		if a.Version != "release" {
			continue
		}
		all++
		if a.Failed() || len(p.scenario.serves) > 0 && a.Took > slow {
			hurt++
		}
	}
	return hurt, all
}
