package rollout

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// toyPods is a target whose pods are replaced in place: a StatefulSet, or, where it goes one way, a DaemonSet, with
// what their controllers do.
type toyPods struct {
	oneWay bool
	// held says that the field of the update strategy is Weir's. Otherwise everything is rolled out.
	held bool
	// partition and current revision of a StatefulSet.
	partition int32
	current   string
	// pods by ordinal, or by node.
	pods []toyPod
	// known are the revisions that it has a record of. A target that is made anew has none of the old ones.
	known map[string]bool
}

type toyPod struct {
	revision string
	ready    bool
}

// The writes to such a target.
const (
	hold       write = "hold"
	releaseAll write = "release"
	replacePod write = "replace"
)

// noPartition is that of a StatefulSet of which no pod is to be replaced.
const noPartition = math.MaxInt32

func newToyPods(replicas int32, oneWay bool) *toyPods {
	p := &toyPods{oneWay: oneWay, current: "v1", known: map[string]bool{"v1": true}}
	for range replicas {
		p.pods = append(p.pods, toyPod{"v1", true})
	}
	return p
}

func (p *toyPods) count(fits func(toyPod) bool) int32 {
	var n int32
	for _, pod := range p.pods {
		if fits(pod) {
			n++
		}
	}
	return n
}

func (p *toyPods) facts(w *toy, revision string) ReplicaSet {
	if !p.known[revision] {
		return ReplicaSet{}
	}
	own := p.count(func(pod toyPod) bool { return pod.revision == revision })
	ready := p.count(func(pod toyPod) bool { return pod.revision == revision && pod.ready })
	rs := ReplicaSet{
		Found: true, Name: "app-" + revision, Hash: revision, Images: []string{revision}, Owner: OwnerCanary,
		Desired: own, Exists: own, Ready: ready, Available: ready,
	}
	if reason, ok := w.broken[revision]; ok && own > ready {
		rs.Broken = &Broken{Pod: "app-x", Reason: reason}
	}
	return rs
}

// all says that every pod is of a revision and ready.
func (p *toyPods) all(w *toy, revision string) bool {
	n := p.count(func(pod toyPod) bool { return pod.revision == revision && pod.ready })
	return n == w.target.replicas && int(n) == len(p.pods)
}

// sole is the only revision of its pods, or the template's where there is none; empty where there are several.
func (p *toyPods) sole(template string) string {
	if len(p.pods) == 0 {
		return template
	}
	first := p.pods[0].revision
	if p.count(func(pod toyPod) bool { return pod.revision != first }) > 0 {
		return ""
	}
	return first
}

// serving is what a StatefulSet makes its pods of, or what all of a DaemonSet's pods are of.
func (p *toyPods) serving(template string) string {
	if p.oneWay {
		return p.sole(template)
	}
	return p.current
}

// see fills in what a look sees of it.
func (p *toyPods) see(w *toy, s *Snapshot) {
	st, template, replicas := &w.canary.Status, w.target.template, w.target.replicas
	primary, candidate := p.current, ""
	p.known[template] = true
	switch {
	case st.Primary != nil:
		primary = st.Primary.Hash
	case p.oneWay:
		primary = p.sole(template)
	case p.count(func(pod toyPod) bool { return pod.revision != p.current }) > 0:
		primary = ""
	}
	if st.Canary != nil {
		candidate = st.Canary.Hash
		s.Candidate = p.facts(w, candidate)
		switch over := st.Phase == v1beta1.PhaseFinalising || st.Phase == v1beta1.PhasePromoting && p.all(w, candidate); {
		case !s.Candidate.Found:
		case p.oneWay && over, !p.oneWay && p.current == candidate:
			s.Candidate.Owner, s.Candidate.Desired = OwnerTarget, replicas
		case !p.oneWay && template == candidate:
			s.Candidate.Desired = max(0, replicas-p.partition)
		}
	}
	s.Primary = p.facts(w, primary)
	if s.Primary.Found {
		s.Primary.Owner, s.Primary.Desired = OwnerTarget, max(0, replicas-s.Candidate.Desired)
	}
	if serving := p.serving(template); serving != primary && serving != candidate {
		if !p.oneWay {
			s.Primary = ReplicaSet{}
		}
		if s.Serving = p.facts(w, serving); s.Serving.Found {
			s.Serving.Owner, s.Serving.Desired = OwnerTarget, max(0, replicas-s.Candidate.Desired)
		}
	}
	s.Target = Target{
		Found: w.target.found, Paused: p.held, Complete: p.all(w, template) && (p.oneWay || p.current == template),
		Replicas: replicas, InPlace: true, OneWay: p.oneWay, Revision: Revision{
			Hash: template, ReplicaSet: "app-" + template, Images: []string{template},
			IsPrimary: primary == template, IsCandidate: candidate == template,
		},
	}
	if p.held && st.Primary != nil && (p.oneWay || p.current == primary) {
		s.Target.Strays = p.count(func(pod toyPod) bool { return pod.revision != primary && pod.revision != candidate })
		rest := p.count(func(pod toyPod) bool { return pod.revision != primary })
		if st.Retiring != nil && rest > 0 && (!p.oneWay || template == primary) {
			s.Retiring = ReplicaSet{
				Found: true, Name: st.Retiring.ReplicaSet, Hash: st.Retiring.Hash, Owner: OwnerCanary, Desired: rest, Exists: rest,
			}
		}
	}
	if !w.target.found {
		s.Target, s.Primary, s.Candidate, s.Retiring = Target{InPlace: true, OneWay: p.oneWay}, ReplicaSet{}, ReplicaSet{}, ReplicaSet{}
	}
	since := w.route.Since
	s.Route, s.FollowsPods = Route{}, true
	if w.services.Found {
		s.Route = InPlaceRoute(s, w.pins.Apex)
		if !s.Route.Split.Equal(w.seenSplit) {
			since, w.seenSplit = w.now, s.Route.Split
		}
		s.Route.Since, w.route.Since = since, since
	}
}

// control is what its controller does between two looks.
func (p *toyPods) control(w *toy) {
	if !w.target.found {
		p.pods = nil
		return
	}
	for i := range p.pods {
		_, bad := w.broken[p.pods[i].revision]
		p.pods[i].ready = !bad
	}
	for int(w.target.replicas) > len(p.pods) {
		p.pods = append(p.pods, toyPod{revision: p.revisionAt(w, len(p.pods))})
	}
	p.pods = p.pods[:w.target.replicas]
	from := int32(0)
	if p.oneWay && p.held {
		from = noPartition
	} else if !p.oneWay {
		from = p.partition
	}
	for i := len(p.pods) - 1; i >= 0 && int64(i) >= int64(from); i-- {
		if !p.pods[i].ready {
			break
		}
		if p.pods[i].revision != w.target.template {
			p.pods[i] = toyPod{revision: w.target.template}
			break
		}
	}
	if p.all(w, w.target.template) {
		p.current = w.target.template
	}
}

// revisionAt is what a new pod is made of.
func (p *toyPods) revisionAt(w *toy, i int) string {
	if p.oneWay || int64(i) >= int64(p.partition) {
		return w.target.template
	}
	return p.current
}

// setPartition goes by the version that was decided on.
func (p *toyPods) setPartition(w *toy, s *Snapshot, to int32) error {
	if w.target.template != s.Target.Revision.Hash {
		return errors.New("the target moved")
	}
	p.held, p.partition = true, to
	if p.oneWay {
		return w.wrote(hold)
	}
	if to == noPartition {
		return w.wrote(hold, "all")
	}
	return w.wrote(hold, "below", to)
}

// pause is ensurePause.
func (p *toyPods) pause(w *toy, s *Snapshot, d Decision) error {
	switch {
	case d.Pause == PauseSet && p.oneWay && !p.held:
		return p.setPartition(w, s, 0)
	case d.Pause == PauseSet && !p.oneWay && (!p.held || p.partitionFor(w, d) > p.partition):
		return p.setPartition(w, s, max(p.partition, p.partitionFor(w, d)))
	case d.Pause == PauseRelease && p.held:
		p.held, p.partition = false, 0
		return w.wrote(releaseAll)
	}
	return nil
}

func (p *toyPods) partitionFor(w *toy, d Decision) int32 {
	if d.Candidate.State != ReplicaSetPresent || d.Candidate.Replicas == 0 {
		return noPartition
	}
	return max(0, w.target.replicas-d.Candidate.Replicas)
}

// ensure is ensureSets.
func (p *toyPods) ensure(w *toy, s *Snapshot, d Decision) error {
	if d.Pause != PauseSet || !s.Target.Paused || !p.held {
		return nil
	}
	if to := p.partitionFor(w, d); !p.oneWay && to < p.partition {
		return p.setPartition(w, s, to)
	}
	if d.Candidate.State == ReplicaSetLeave && d.Retiring.State == ReplicaSetLeave {
		return nil
	}
	for _, i := range p.going(w, s, d) {
		p.pods[i] = toyPod{revision: p.revisionAt(w, i)}
		if err := w.wrote(replacePod, i); err != nil {
			return err
		}
	}
	return nil
}

// going are the pods to replace, the last first; one at a time of those that are ready.
func (p *toyPods) going(w *toy, s *Snapshot, d Decision) []int {
	var going []int
	surplus := len(p.pods)
	if p.oneWay && w.target.template != s.Primary.Hash {
		surplus = 0
		if d.Candidate.State == ReplicaSetPresent {
			old := p.count(func(pod toyPod) bool { return pod.revision != w.target.template })
			surplus = int(old - max(0, w.target.replicas-d.Candidate.Replicas))
		}
	}
	sound := p.count(func(pod toyPod) bool { return !pod.ready }) == 0
	for i := len(p.pods) - 1; i >= 0 && len(going) < surplus; i-- {
		pod := p.pods[i]
		stays := pod.revision == s.Primary.Hash
		if p.oneWay {
			stays = pod.revision == w.target.template
		}
		if stays || !p.oneWay && (int64(i) >= int64(p.partition) || p.current != s.Primary.Hash) || pod.ready && !sound {
			continue
		}
		going = append(going, i)
		if pod.ready {
			break
		}
	}
	return going
}

func (p *toyPods) String() string {
	words := slices.Collect(func(yield func(string) bool) {
		for _, pod := range p.pods {
			mark := ""
			if !pod.ready {
				mark = "?"
			}
			if !yield(pod.revision + mark) {
				return
			}
		}
	})
	return fmt.Sprintf("pods %v held=%t current=%s", words, p.held, p.current)
}
