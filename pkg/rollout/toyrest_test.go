package rollout

import (
	"errors"
	"testing"
)

// apply gives the target a template. Where there is a policy, the API server pauses what is Weir's in that request.
func (w *toy) apply(template string) {
	changed := w.target.template != template
	w.target.template = template
	if changed && w.policy && (w.target.resting || w.target.paused && w.target.pausedByWeir) {
		w.target.paused, w.target.resting = true, false
	}
}

// rest is ensurePause for a target at rest.
func (w *toy) rest(s *Snapshot) error {
	t := &w.target
	switch {
	case !t.paused && (!w.policy || !t.resting):
		t.paused, t.pausedByWeir, t.resting = true, true, false
		return w.wrote(pause)
	case w.policy && t.paused && t.pausedByWeir && s.Target.Complete:
		if s.Target.Revision.Hash != t.template {
			return errors.New("the target moved")
		}
		t.paused, t.resting = false, true
		return w.wrote(letRest)
	}
	return nil
}

// held says that a new template rolls nothing out.
func (w *toy) held(isPrimary bool) bool { return w.target.paused || w.target.resting && isPrimary }

// turnOf is a place in a profile's queue, in words.
func (w *toy) turnOf(t *testing.T, place string) *Turn {
	t.Helper()
	turn := &Turn{Limit: "CanaryProfile careful has maxRuns 1"}
	switch place {
	case "free":
		return nil
	case "granted":
		turn.Granted, turn.Position = true, 1
	default:
		turn.Position = int32(number(t, place))
	}
	return turn
}

// waitsItsTurn gives the place to a Canary whose run is not on.
func (w *toy) waitsItsTurn() *Turn {
	if run := w.canary.Status.Run; run != nil && run.Queue == nil {
		return nil
	}
	return w.place
}
