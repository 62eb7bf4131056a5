package rollout

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/equality"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// look is one turn of the operator: snapshot, decision, ensure, commit, announce.
func (w *toy) look() (Decision, error) {
	asking := w.died
	if w.died { // a new process sees everything for the first time, and has to ask again
		w.died, w.route.Since = false, w.now
		w.mail.die()
	}
	defer w.tell()
	s := w.snapshot()
	if asking {
		s.Answers, s.Replies = nil, nil
	} else {
		w.log = append(w.log, w.calls...)
	}
	w.calls = nil
	if w.looks++; w.told || w.looks%16 == 0 {
		return w.lookTwice(s)
	}
	d := Decide(s)
	return d, w.act(s, d)
}

// lookTwice decides twice: on the same snapshot the same is decided, and nothing of it is changed.
func (w *toy) lookTwice(s *Snapshot) (Decision, error) {
	before := *s
	before.Canary = s.Canary.DeepCopy()
	d := Decide(s)
	if again := Decide(s); !reflect.DeepEqual(d, again) {
		require.Equal(w.t, d, again, "the same snapshot gives the same decision")
	}
	if !reflect.DeepEqual(before.Canary, s.Canary) {
		require.Equal(w.t, before.Canary, s.Canary, "a decision changes nothing of what it is made on")
	}
	return d, w.act(s, d)
}

func (w *toy) act(s *Snapshot, d Decision) error {
	w.writes, w.next = 0, d.Status.Phase
	if !d.Finalizer {
		if err := w.ensure(s, d); err != nil {
			return err
		}
		w.gone = true
		return w.announce(d)
	}
	first, then := w.ensure, w.conclude
	if SplitOf(&w.canary.Status).Falls(d.Split) {
		first, then = then, first
	}
	if err := first(s, d); err != nil {
		return err
	}
	if err := then(s, d); err != nil {
		return err
	}
	return w.announce(d)
}

func (w *toy) ensure(s *Snapshot, d Decision) error {
	for _, ensure := range []func(*Snapshot, Decision) error{
		w.ensureConfig, w.ensurePause, w.ensureServices, w.ensureSets, w.ensureRoute, w.ensureHandOver,
	} {
		if err := ensure(s, d); err != nil {
			return err
		}
	}
	return nil
}

// conclude commits the status.
func (w *toy) conclude(s *Snapshot, d Decision) error {
	if reflect.DeepEqual(d.Status, w.canary.Status) || w.told && equality.Semantic.DeepEqual(d.Status, w.canary.Status) {
		return nil
	}
	if w.conflict || w.canary.ResourceVersion != s.Canary.ResourceVersion {
		w.conflict = false
		return errors.New("conflict")
	}
	w.commit(d.Status)
	return w.wrote(commitStatus, "phase="+string(d.Status.Phase), fmt.Sprintf("weight=%d", d.Status.Weight))
}

// commit stores a status as an API server would: as JSON, with its coarser times. To make that less work, the
// walks, whose clock knows whole seconds only, go through JSON once in a while.
func (w *toy) commit(st v1beta1.CanaryStatus) {
	next := *w.canary // snapshots may hold what is committed now
	next.Status = st
	if w.told || w.looks%32 == 0 {
		raw, err := json.Marshal(st)
		require.NoError(w.t, err)
		next.Status = v1beta1.CanaryStatus{}
		require.NoError(w.t, json.Unmarshal(raw, &next.Status))
	}
	w.version++
	next.ResourceVersion = strconv.Itoa(w.version)
	w.canary = &next
}

func (w *toy) announce(d Decision) error {
	for _, n := range d.Notices {
		if !w.told {
			break
		}
		w.notes = append(w.notes, n.ID)
		w.log = append(w.log, "notice "+n.Reason+": "+n.Message)
	}
	return nil
}

// ensureConfig makes the target's template carry a digest, and so a new one.
func (w *toy) ensureConfig(_ *Snapshot, d Decision) error {
	if d.ConfigDigest == "" || d.ConfigDigest == w.annotated || !w.target.found || w.inPlace != nil && !w.inPlace.held ||
		w.target.resting {
		return nil
	}
	base, _, _ := strings.Cut(w.target.template, "#")
	w.annotated = d.ConfigDigest
	w.apply(base + "#" + d.ConfigDigest)
	return w.wrote(annotate, d.ConfigDigest)
}

func (w *toy) ensurePause(s *Snapshot, d Decision) error {
	switch {
	case w.inPlace != nil && s.Target.Found && w.target.found:
		return w.inPlace.pause(w, s, d)
	case w.inPlace != nil:
	case d.Pause == PauseSet && !w.target.paused:
		w.target.paused, w.target.pausedByWeir, w.target.resting = true, true, false
		return w.wrote(pause)
	case d.Pause == PauseAtRest:
		return w.rest(s)
	case d.Pause == PauseRelease && w.target.pausedByWeir:
		w.target.paused, w.target.pausedByWeir, w.target.resting = false, false, false
		return w.wrote(releasePause)
	}
	return nil
}

func (w *toy) ensureServices(_ *Snapshot, d Decision) error {
	if d.Services == ServicesApplied && !w.services.Found && w.vanished {
		return errors.New("forbidden: the namespace is being terminated")
	}
	if d.Services == ServicesApplied && !w.services.Found {
		w.services = Services{Found: true, Since: w.now}
		if err := w.wrote(makeServices); err != nil {
			return err
		}
	}
	if d.Services == ServicesReleased {
		w.services, w.released, w.pins = Services{}, true, Pins{}
		return w.wrote(releaseServices)
	}
	if w.services.Found && d.Pins != w.pins {
		w.pins = d.Pins
		return w.wrote(pin, w.pins)
	}
	return nil
}

// short is a split in few letters.
func short(s Split) string {
	words := fmt.Sprint(s.Weight)
	if len(s.Match) > 0 {
		words += " match"
	}
	if s.Mirror > 0 {
		words += fmt.Sprintf(" mirror %d", s.Mirror)
	}
	return words
}

func (p Pins) String() string {
	short := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	return strings.Join([]string{short(p.Apex), short(p.Primary), short(p.Canary)}, "/")
}

func (w *toy) ensureSets(s *Snapshot, d Decision) error {
	if w.inPlace != nil {
		if !s.Target.Found || !w.target.found {
			return nil
		}
		return w.inPlace.ensure(w, s, d)
	}
	if d.Primary.State == ReplicaSetPresent {
		if p := w.set(s.Canary.Status.Primary); p != nil && p.desired != d.Primary.Replicas {
			p.desired = d.Primary.Replicas
			if err := w.wrote(endPrimary, p.name); err != nil {
				return err
			}
		}
	}
	if err := w.ensureSet(s.Canary.Status.Retiring, d.Status.Retiring, d.Retiring); err != nil {
		return err
	}
	return w.ensureSet(s.Canary.Status.Canary, d.Status.Canary, d.Candidate)
}

func (w *toy) ensureSet(was, ref *v1beta1.RevisionStatus, plan ReplicaSetPlan) error {
	if ref == nil {
		ref = was
	}
	if plan.State == ReplicaSetLeave || ref == nil {
		return nil
	}
	set := w.sets[ref.ReplicaSet]
	if plan.State == ReplicaSetAbsent {
		switch {
		case set == nil || set.owner != OwnerCanary:
			return nil
		case set.desired > 0:
			w.shrunk, set.desired = true, 0
			return w.wrote(scaleSet, ref.ReplicaSet, "to", 0)
		case set.exists == 0:
			delete(w.sets, ref.ReplicaSet)
			return w.wrote(deleteSet, ref.ReplicaSet)
		}
		return nil
	}
	if set == nil {
		if ref.Hash != w.target.template {
			return nil // only the present template can be made
		}
		set = w.make(&toySet{name: ref.ReplicaSet, template: w.target.template, owner: OwnerCanary})
		if err := w.wrote(createSet, ref.ReplicaSet); err != nil {
			return err
		}
	}
	if set.owner == OwnerTarget && (set.desired == 0 || set.template != w.target.template) {
		set.owner = OwnerCanary
		if err := w.wrote(borrowSet, ref.ReplicaSet); err != nil {
			return err
		}
	}
	if set.owner == OwnerCanary && set.desired != plan.Replicas {
		w.shrunk = plan.Replicas < set.desired
		set.desired = plan.Replicas
		return w.wrote(scaleSet, ref.ReplicaSet, "to", plan.Replicas)
	}
	return nil
}

func (w *toy) ensureRoute(_ *Snapshot, d Decision) error {
	switch {
	case w.followsPods, w.inPlace != nil:
	case d.Route == RouteApplied && !w.route.Found && w.vanished:
		return errors.New("forbidden: the namespace is being terminated")
	case d.Route == RouteApplied && (!w.route.Found || !w.route.Split.Equal(d.Split)):
		if w.route.Found {
			w.trail = append(w.trail, trail{w.route.Split, w.now.Add(w.settle)})
		}
		w.route = Route{Found: true, Split: d.Split, Accepted: true, Since: w.now}
		return w.wrote(writeRoute, short(d.Split))
	case d.Route == RouteReleased && w.route.Found:
		w.route = Route{}
		return w.wrote(releaseRoute)
	}
	return nil
}

func (w *toy) ensureHandOver(_ *Snapshot, d Decision) error {
	if !d.HandOver {
		return nil
	}
	set := w.set(d.Status.Canary)
	// The Deployment is read live: a template or a scale that moved on refuses.
	primary := w.set(d.Status.Primary)
	queued := d.Queued && primary != nil && primary.template != w.target.template
	if set.template != w.target.template && !queued || set.desired != w.target.replicas {
		return errors.New("the target moved")
	}
	set.owner = OwnerTarget
	return w.wrote(handOver, set.name)
}
