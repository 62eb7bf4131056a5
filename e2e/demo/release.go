package main

import (
	"context"
	"io"
	"slices"
	"time"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// told is what came of one release.
type told struct {
	outcome  v1beta1.Outcome
	cause    string
	took     time.Duration
	primary  string
	canary   string
	requests load.Summary
	// recreated counts the pods that had to stay and did not: those that were judged, after a promotion,
	// and those that served, after a rollback. A restart counts, too.
	recreated int
}

// patience is how long a release may take.
const patience = 3 * time.Minute

// release changes the Deployment as a user does, and shows what becomes of it.
func release(
	ctx context.Context, out io.Writer, app *stage.Application, requests *load.Load, title string, v stage.Version,
) (*told, error) {
	heading(out, title)
	served, restartsBefore, err := app.Pods(ctx)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	before, err := app.Await(ctx, patience, func(*v1beta1.Canary) bool { return true })
	if err != nil {
		return nil, err
	}
	if err := app.Release(ctx, v); err != nil {
		return nil, err
	}
	judged := map[string][]string{}
	after, err := watch(ctx, out, app, func(c *v1beta1.Canary) bool {
		if c.Status.Phase == v1beta1.PhasePromoting && len(judged) == 0 {
			if judged, _, err = app.Pods(ctx); err != nil {
				return true
			}
		}
		return stage.RunsEnded(len(before.Status.History) + 1)(c)
	})
	if err != nil {
		return nil, err
	}
	record := after.Status.History[0]
	t := &told{
		outcome: record.Outcome, cause: record.Message, took: record.EndedAt.Sub(record.StartedAt.Time),
		primary: before.Status.Primary.Hash, canary: record.Revision,
		requests: load.Summarise(requests.Answers(), start),
	}
	serving, restarts, err := app.Pods(ctx)
	if err != nil {
		return nil, err
	}
	stayed := served[t.primary]
	if t.outcome == v1beta1.OutcomePromoted {
		stayed = judged[t.canary]
	}
	t.recreated = restarts - restartsBefore
	for _, uid := range stayed {
		if !slices.Contains(serving[after.Status.Primary.Hash], uid) {
			t.recreated++
		}
	}
	return t, nil
}
