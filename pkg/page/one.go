package page

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/course"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
)

// oneBody is what the page of one Canary shows.
type oneBody struct {
	Main  mainPart
	Steer steerPart
}

// mainPart is what is kept up to date.
type mainPart struct {
	Namespace, Name, Target, Phase, Tone, Message, Behind string
	Run                                                   since
	Split                                                 split
	Steps                                                 []stepPart
	Canary, Primary                                       string
	Failed                                                string
	Next                                                  []moment
	Checks                                                []checkPart
	Gates                                                 []gatePart
	// Weights are drawn where a run was seen; Course says of which one, and from when on.
	Weights *chart
	Course  string
	Runs    []runPart
	Last    string
}

type split struct {
	Canary, Primary int32
	Words           string
}

type stepPart struct{ Name, State string }

// moment is something to come.
type moment struct {
	What, In string
	Unix     int64
}

type checkPart struct {
	Name, Verdict, Tone, Value, Bound, At, Message string
	Chart                                          *chart
}

type gatePart struct {
	Name, Type, State, Tone, Message string
	For                              since
}

type runPart struct {
	Revision, Outcome, Tone, Reason, Message, Ended, Took, Weight, Commands string
}

func (p *Page) one(w http.ResponseWriter, r *http.Request) error {
	key := types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
	v, err := p.reader(r, key.Namespace, key.Name)
	if err != nil {
		return err
	}
	body, err := p.oneBody(r.Context(), v, key)
	if err != nil {
		return err
	}
	return p.show(w, http.StatusOK, "one.html", frame{Title: key.Name + " in " + key.Namespace, User: v.user.Username,
		CSRF: v.csrf(), Live: "/live/" + key.Namespace + "/" + key.Name, Body: body})
}

func (p *Page) oneLive(w http.ResponseWriter, r *http.Request) error {
	key := types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
	return p.stream(w, r, func(ctx context.Context) (fragments, error) {
		v, err := p.reader(r, key.Namespace, key.Name)
		if err != nil {
			return nil, err
		}
		body, err := p.oneBody(ctx, v, key)
		if err != nil {
			return nil, err
		}
		main, err := p.render("main", body.Main)
		if err != nil {
			return nil, err
		}
		steer, err := p.render("steer", body.Steer)
		return fragments{"main": main, "steer": steer}, err
	})
}

func (p *Page) oneBody(ctx context.Context, v visitor, key types.NamespacedName) (oneBody, error) {
	canary, run, ok := p.store.get(key)
	if !ok {
		return oneBody{}, refusal{http.StatusNotFound, "There is no Canary " + key.Name + " in namespace " + key.Namespace + "."}
	}
	steer, err := p.steerPart(ctx, v, canary)
	return oneBody{Main: mainOf(canary, run, p.options.Now().UTC()), Steer: steer}, err
}

func mainOf(c *v1beta1.Canary, run *course.Course, now time.Time) mainPart {
	st, clock := &c.Status, words.Clock(now)
	_, text := words.Message(c)
	if why := words.Refused(c); why != "" {
		text = why
	}
	m := mainPart{
		Namespace: c.Namespace, Name: c.Name, Target: words.TargetOf(c), Phase: string(st.Phase), Tone: toneOf(c),
		Message: text, Behind: words.Behind(c), Canary: podsOf(st.Canary), Primary: podsOf(st.Primary), Runs: runsOf(st, clock),
	}
	if st.LastCommand != nil {
		m.Last = words.CommandDone(st.LastCommand, clock)
	}
	if st.Run != nil {
		const all = 100
		m.Run = sinceOf(st.Run.StartedAt.Time, now)
		m.Split = split{st.Weight, all - st.Weight, words.Traffic(st)}
		m.Steps = stepsOf(c)
		m.Failed = fmt.Sprintf("%d of %s of checks", st.FailedChecks, words.Count(words.Threshold(c), "round"))
		m.Next = nextOf(c, now)
		m.Gates = gatesOf(c, now)
	} else if st.Phase != v1beta1.PhaseFailed {
		m.Canary = ""
	}
	if st.Run != nil || st.Phase == v1beta1.PhaseFailed {
		m.Checks = checksOf(c, run, clock)
	}
	if run.Run != "" {
		m.Weights = weightChart(run, now, st.Run != nil)
		m.Course = fmt.Sprintf("The run of revision %s, as this replica has seen it since %s.", run.Revision, clock.At(run.Since))
	}
	return m
}

func sinceOf(t, now time.Time) since { return since{words.Span(now.Sub(t)), t.Unix()} }

// podsOf are the pods of a revision as the status has them.
func podsOf(r *v1beta1.RevisionStatus) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%d of %s ready, %s", r.Ready, words.Count(r.Replicas, "pod"), words.Revision(r.Hash, r.Images))
}

func stepsOf(c *v1beta1.Canary) []stepPart {
	steps := rollout.Steps(&c.Spec)
	at := words.StepAt(c)
	parts := make([]stepPart, 0, len(steps)+1)
	for _, s := range steps {
		parts = append(parts, stepPart{Name: s.String()})
	}
	parts = append(parts, stepPart{Name: "promotion"})
	for i := range parts {
		parts[i].State = "to come"
		switch {
		case i < at:
			parts[i].State = "done"
		case i == at:
			parts[i].State = "now"
		}
	}
	return parts
}

func nextOf(c *v1beta1.Canary, now time.Time) []moment {
	var all []moment
	for _, m := range words.Moments(c, now) {
		all = append(all, moment{m.What, words.Span(m.At.Sub(now)), m.At.Unix()})
	}
	return all
}

func checksOf(c *v1beta1.Canary, run *course.Course, clock words.Clock) []checkPart {
	var parts []checkPart
	for _, check := range c.Status.Checks {
		bound := words.BoundOf(c, check)
		part := checkPart{Name: check.Name, Verdict: string(check.Verdict), Tone: toneOfVerdict(check.Verdict), Value: check.Value,
			Bound: bound.Text, At: clock.At(check.At.Time), Message: check.Message}
		if e := check.Evidence; e != nil {
			part.Bound = fmt.Sprintf("evidence %s of the %s that fails it", e.Value, e.Needed)
		}
		if samples := run.Check(check.Name); len(samples) > 0 {
			part.Chart = checkChart(check.Name, samples, bound, check.Evidence != nil)
		}
		parts = append(parts, part)
	}
	return parts
}

func toneOfVerdict(v v1beta1.Verdict) string {
	switch v {
	case v1beta1.VerdictPassed:
		return "good"
	case v1beta1.VerdictFailed:
		return "bad"
	}
	return "busy"
}

func gatesOf(c *v1beta1.Canary, now time.Time) []gatePart {
	var parts []gatePart
	for _, g := range words.GatesOfRun(c) {
		tone := "busy"
		switch g.State {
		case v1beta1.GateOpen, v1beta1.GateApproved:
			tone = "good"
		case v1beta1.GateFailed, v1beta1.GateTimedOut:
			tone = "bad"
		}
		parts = append(parts, gatePart{g.Name, g.Type, string(g.State), tone, g.Message, sinceOf(g.Since.Time, now)})
	}
	return parts
}

func runsOf(st *v1beta1.CanaryStatus, clock words.Clock) []runPart {
	var parts []runPart
	for i := range st.History {
		r := &st.History[i]
		tone := "bad"
		switch r.Outcome {
		case v1beta1.OutcomePromoted:
			tone = "good"
		case v1beta1.OutcomeSuperseded:
			tone = "busy"
		}
		parts = append(parts, runPart{
			Revision: words.Revision(r.Revision, r.Images), Outcome: string(r.Outcome), Tone: tone, Reason: r.Reason, Message: r.Message,
			Ended: clock.At(r.EndedAt.Time), Took: words.Span(r.EndedAt.Sub(r.StartedAt.Time)), Weight: percent(r.MaxWeight),
			Commands: words.Commands(r.Commands),
		})
	}
	return parts
}
