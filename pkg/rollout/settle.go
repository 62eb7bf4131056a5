package rollout

import "time"

// inForce says that the committed split is the one read back, and that whoever serves the route has
// accepted it.
func inForce(s *Snapshot) bool {
	return s.Route.Found && s.Route.Accepted && s.Route.Split.Equal(SplitOf(&s.Canary.Status))
}

// settled says that traffic follows the committed split. It is asked before anything that presumes
// the split: judging it, raising it, ending the primary's pods.
func settled(s *Snapshot) bool {
	return inForce(s) && settlesIn(s) == 0
}

// drained says that no traffic goes where the committed split sends none. It is asked before a canary
// that has no share any more loses its pods. A route that nobody accepts any more must not keep those
// pods for ever, so after a dozen settle times the clock alone is believed.
func drained(s *Snapshot) bool {
	if settlesIn(s) > 0 || s.Route.Found && !s.Route.Split.Equal(SplitOf(&s.Canary.Status)) {
		return false
	}
	const patience = 12
	since := s.Canary.Status.WeightSince
	return inForce(s) || since == nil || !s.Now.Before(since.Add(patience*s.Settle))
}

// settlesIn is how long the settle time still runs, from the last change that was committed or seen.
func settlesIn(s *Snapshot) time.Duration {
	var since time.Time
	if committed := s.Canary.Status.WeightSince; committed != nil {
		since = committed.Time
	}
	if s.Route.Found && s.Route.Since.After(since) {
		since = s.Route.Since
	}
	if since.IsZero() {
		return 0
	}
	return max(0, since.Add(s.Settle).Sub(s.Now))
}
