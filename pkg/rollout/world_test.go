package rollout

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// toy is a world small enough to be looked through: one target, its ReplicaSets, three Services and a
// route, with what Kubernetes' own controllers do to them. Both the storyboards and the random walks
// play in it.
type toy struct {
	t        testing.TB
	now      time.Time
	canary   *v1beta1.Canary // as committed
	gone     bool            // the finalizer was removed
	problems []Problem
	target   toyTarget
	sets     map[string]*toySet
	services Services
	pins     Pins
	released bool // Services given back
	route    Route
	settle   time.Duration
	// verdict that every check gets.
	verdict v1beta1.Verdict
	// proven says that comparisons have shown the canary not to be worse.
	proven bool
	// alarm says that the guard has seen enough of any canary.
	alarm bool
	// crashAt is the write of the next look at which the operator dies; 0 means it does not.
	crashAt int
	writes  int
	looks   int
	made    int
	version int
	died    bool
	// conflict makes the next commit fail.
	conflict bool
	// weights that traffic may still follow, with the time at which each was replaced.
	trail []trail
	// broken templates and the reason their pods give.
	broken map[string]string
	// check is called after every write.
	check func(what write)
	// complain tells of a fault.
	complain func(format string, args ...any)
	// told says that somebody reads the log.
	told  bool
	notes []string
	log   []string
	calls []string
	// vanished says that the namespace is being deleted: nothing can be made.
	vanished bool
	// shrunk says that the last scaling was down.
	shrunk bool
	// scaled is the number of replicas that the target's controller has seen.
	scaled int32
	// followsPods is a cluster without routes: the apex Service's selector is the split.
	followsPods bool
	// inPlace is a target whose pods are replaced in place, instead of one with ReplicaSets.
	inPlace *toyPods
	// seenSplit is the split that was seen last in its pods.
	seenSplit Split
	// next is the phase that is being carried out.
	next v1beta1.Phase
	// gates are the webhooks that do not agree, with "closed", or "unreachable".
	gates map[string]string
	// called are the webhooks that were called, with what came of it.
	called map[string]string
	// command that stands in the annotation.
	command *Command
	// mail is how people are told by alerts.
	mail toyMail
	// policy says that the API server pauses what is Weir's in the request that changes its template.
	policy bool
	// place is its turn in a profile's queue; nil where there is none.
	place *Turn
	// config is the digest of the configuration, and annotated the one that the template carries.
	config, annotated string
}

type trail struct {
	split Split
	until time.Time
}

type toyTarget struct {
	found, paused, pausedByWeir bool
	// resting says that it is not paused, and that the field is Weir's all the same.
	resting  bool
	template string
	replicas int32
}

type toySet struct {
	name, template           string
	owner                    Owner
	desired, exists          int32
	ready, available, flaked int32
	born                     int
	readySince               time.Time
}

var errCrash = errors.New("the operator died")

func newToy(t testing.TB) *toy {
	w := &toy{
		t: t, complain: t.Errorf, told: true, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), settle: 5 * time.Second,
		sets: map[string]*toySet{}, verdict: v1beta1.VerdictPassed, broken: map[string]string{},
		gates: map[string]string{}, called: map[string]string{}, mail: newToyMail(),
	}
	w.canary = &v1beta1.Canary{
		ObjectMeta: metav1.ObjectMeta{Name: "app", Namespace: "default", UID: "uid", Generation: 1},
		Spec: v1beta1.CanarySpec{
			TargetRef: v1beta1.TargetRef{Name: "app", Kind: "Deployment", APIVersion: "apps/v1"},
			Analysis: v1beta1.CanaryAnalysis{
				Interval: "10s", Threshold: 2, StepWeights: []int32{10, 50},
				Metrics: []v1beta1.CanaryMetric{{Name: "m"}},
			},
		},
	}
	w.target = toyTarget{found: true, template: "v1", replicas: 4}
	w.make(&toySet{
		name: "app-v1", template: "v1", owner: OwnerTarget, desired: 4, exists: 4, ready: 4, available: 4,
	})
	return w
}

// write is one kind of write.
type write string

const (
	makeServices    write = "make services"
	releaseServices write = "release services"
	pin             write = "pin"
	pause           write = "pause"
	releasePause    write = "release pause"
	letRest         write = "let rest"
	annotate        write = "annotate"
	createSet       write = "create"
	borrowSet       write = "borrow"
	scaleSet        write = "scale"
	deleteSet       write = "delete"
	endPrimary      write = "end the primary"
	writeRoute      write = "route"
	releaseRoute    write = "release route"
	handOver        write = "hand over"
	commitStatus    write = "commit"
)

// wrote is told of every write. What it says in words is made up only where somebody reads it.
func (w *toy) wrote(what write, words ...any) error {
	w.writes++
	if w.told {
		line := string(what)
		for _, word := range words {
			line += fmt.Sprint(" ", word)
		}
		w.log = append(w.log, line)
	}
	if w.check != nil {
		w.check(what)
	}
	if w.crashAt > 0 && w.writes >= w.crashAt {
		w.crashAt, w.died = 0, true
		return errCrash
	}
	return nil
}

func (w *toy) set(ref *v1beta1.RevisionStatus) *toySet {
	if ref == nil {
		return nil
	}
	return w.sets[ref.ReplicaSet]
}

func (w *toy) facts(s *toySet) ReplicaSet {
	if s == nil {
		return ReplicaSet{}
	}
	rs := ReplicaSet{
		Found: true, Name: s.name, Hash: s.template, Images: []string{s.template}, Owner: s.owner,
		Desired: s.desired, Exists: s.exists, Ready: s.ready, Available: s.available, ReadySince: s.readySince,
	}
	if reason, ok := w.broken[s.template]; ok && s.exists > 0 {
		rs.Broken = &Broken{Pod: s.name + "-x", Reason: reason}
	}
	return rs
}

// own is the target's ReplicaSet of a template.
func (w *toy) own(template string) *toySet {
	for _, s := range w.sorted() {
		if s.owner == OwnerTarget && s.template == template {
			return s
		}
	}
	return nil
}

// sole is the target's only ReplicaSet with pods, or, where none has, that of its template.
func (w *toy) sole() *toySet {
	var found *toySet
	for _, s := range w.sorted() {
		if s.owner == OwnerTarget && (s.desired > 0 || s.exists > 0) {
			if found != nil {
				return nil
			}
			found = s
		}
	}
	if found == nil {
		return w.own(w.target.template)
	}
	return found
}

func (w *toy) sorted() []*toySet {
	all := make([]*toySet, 0, len(w.sets))
	for _, s := range w.sets {
		all = append(all, s)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all
}

func (w *toy) complete() bool {
	own := w.own(w.target.template)
	for _, s := range w.sets {
		if s != own && s.owner == OwnerTarget && (s.desired > 0 || s.exists > 0) {
			return false
		}
	}
	return own != nil && own.exists == w.target.replicas && own.available == w.target.replicas
}

func (w *toy) snapshot() *Snapshot {
	st := &w.canary.Status
	primary := w.set(st.Primary)
	if st.Primary == nil {
		primary = w.sole()
	}
	candidate := w.set(st.Canary)
	name := "app-" + w.target.template
	if candidate != nil && candidate.template == w.target.template {
		name = candidate.name
	} else if own := w.own(w.target.template); own != nil {
		name = own.name // an equal old ReplicaSet is borrowed, never doubled
	}
	young := w.facts(candidate)
	young.Younger = primary != nil && candidate != nil && candidate.born > primary.born
	isPrimary := primary != nil && primary.template == w.target.template
	s := &Snapshot{
		Now: w.now, Canary: w.canary, Problems: w.problems, Settle: w.settle,
		Primary: w.facts(primary), Serving: w.facts(w.sole()), Candidate: young, Retiring: w.facts(w.set(st.Retiring)),
		Services: w.services, Route: w.route, FollowsPods: w.followsPods, ConfigDigest: w.config,
		Turn: w.waitsItsTurn(), Receivers: w.mail.receivers, Delivered: w.mail.told,
		Target: Target{
			Found: w.target.found, Paused: w.held(isPrimary), Complete: w.complete(), Replicas: w.target.replicas,
			Revision: Revision{
				Hash: w.target.template, ReplicaSet: name, Images: []string{w.target.template},
				IsPrimary:   isPrimary,
				IsCandidate: candidate != nil && candidate.template == w.target.template,
			},
		},
	}
	switch {
	case w.inPlace != nil:
		w.inPlace.see(w, s)
	case w.followsPods:
		s.Route = w.pinnedRoute()
	}
	if last := st.LastCommand; w.command != nil && (last == nil || last.ID != w.command.ID) {
		s.Command = w.command
	}
	asked := Ask(s)
	for _, c := range asked.Calls {
		s.Replies = append(s.Replies, w.reply(c))
	}
	if asked.Guard != nil && w.alarm {
		s.Guard = &Answer{Round: asked.Guard.Round, Check: v1beta1.CheckStatus{
			Name: GuardCheck, Verdict: v1beta1.VerdictFailed, Message: "alarm", At: metav1.NewTime(w.now),
		}}
	}
	for _, q := range asked.Checks {
		if w.verdict != "" {
			s.Answers = append(s.Answers, Answer{Round: q.Round, Check: v1beta1.CheckStatus{
				Name: q.Metric.Name, Verdict: w.verdict, Message: "toy", At: metav1.NewTime(w.now),
				Evidence: &v1beta1.EvidenceStatus{NotWorse: w.proven},
			}})
		}
	}
	return s
}

// reply is what a webhook answers.
func (w *toy) reply(c Call) Reply {
	how := w.gates[c.ID.Webhook]
	if how == "" && c.ID.Type == v1beta1.WebhookRollback {
		how = "closed"
	}
	r := Reply{ID: c.ID, Agreed: how == "" || how == "open", Reached: how != "unreachable", Message: how, At: w.now}
	if r.Agreed {
		r.Message = "status 200"
	}
	if !w.told {
		return r
	}
	if id := c.ID.String(); w.called[id] != r.Message {
		w.called[id] = r.Message
		w.calls = append(w.calls, fmt.Sprintf("call %s %s: %s", c.ID.Type, c.ID.Webhook, r.Message))
	}
	return r
}

// pinnedRoute is the split that the apex Service makes by its selector.
func (w *toy) pinnedRoute() Route {
	st := &w.canary.Status
	r := Route{Found: w.services.Found, Accepted: true, Since: w.route.Since}
	switch {
	case st.Canary != nil && w.pins.Apex == st.Canary.Hash:
		r.Split.Weight = fullWeight
	case w.pins.Apex == "" && st.Canary != nil && (w.pins != Pins{}):
		r.Split.Weight = max(1, st.Weight)
	}
	return r
}

// controllers is what Kubernetes does between two looks.
func (w *toy) controllers() {
	w.scaled = w.target.replicas
	if w.inPlace != nil {
		w.inPlace.control(w)
		return
	}
	w.deploymentController()
	for _, s := range w.sets {
		s.exists = s.desired
		if _, bad := w.broken[s.template]; bad {
			s.ready, s.available = 0, 0
			continue
		}
		if ready := max(0, s.desired-s.flaked); ready > s.ready {
			s.readySince = w.now
		}
		s.ready = max(0, s.desired-s.flaked)
		s.available = s.ready
	}
}

func (w *toy) deploymentController() {
	own := w.own(w.target.template)
	var active []*toySet
	for _, s := range w.sorted() {
		if s.owner == OwnerTarget && s.desired > 0 {
			active = append(active, s)
		}
	}
	if !w.target.paused {
		if own == nil {
			name := "own-" + w.target.template
			if w.sets[name] != nil { // it was borrowed; the Deployment's controller finds another name
				name += "+"
			}
			own = w.make(&toySet{name: name, template: w.target.template, owner: OwnerTarget})
		}
		own.desired = w.target.replicas
	} else if one := w.activeOrLatest(active); one != nil {
		one.desired = w.target.replicas
		return
	} else if own == nil && len(active) > 1 {
		w.share(active)
		return
	}
	if own != nil && own.desired == w.target.replicas && own.available == w.target.replicas {
		for _, s := range active {
			if s != own {
				s.desired = 0
			}
		}
	}
}

// share is what the Deployment's controller does where a paused Deployment has two ReplicaSets with pods, none of them
// of its template: what is too many goes, from the largest, and of equals from the older one.
func (w *toy) share(active []*toySet) {
	surplus := -(w.target.replicas + 1)
	largest := active[0]
	for _, s := range active {
		surplus += s.desired
		if s.desired > largest.desired || s.desired == largest.desired && s.born < largest.born {
			largest = s
		}
	}
	if surplus > 0 {
		largest.desired = max(0, largest.desired-surplus)
	}
}

// activeOrLatest is the ReplicaSet that a paused Deployment scales: the only one with pods, or where none has, that of
// its template, or else the one that was made last. Of several with pods there is none.
func (w *toy) activeOrLatest(active []*toySet) *toySet {
	if len(active) > 0 {
		if len(active) > 1 {
			return nil
		}
		return active[0]
	}
	latest := w.own(w.target.template)
	for _, s := range w.sorted() {
		if s.owner == OwnerTarget && w.own(w.target.template) == nil && (latest == nil || s.born > latest.born) {
			latest = s
		}
	}
	return latest
}

// make adds a ReplicaSet.
func (w *toy) make(s *toySet) *toySet {
	w.made++
	s.born = w.made
	w.sets[s.name] = s
	return s
}

// edit changes the spec, as a person does.
func (w *toy) edit(change func(*v1beta1.CanarySpec)) {
	next := w.canary.DeepCopy()
	change(&next.Spec)
	next.Generation++
	w.version++
	next.ResourceVersion = strconv.Itoa(w.version)
	w.canary = next
}

// delete marks the Canary for deletion.
func (w *toy) delete() {
	next, now := *w.canary, metav1.NewTime(w.now)
	next.DeletionTimestamp = &now
	w.canary = &next
}

// vanish is the end of a namespace: everything is deleted, and nothing can be made any more.
func (w *toy) vanish() {
	w.vanished = true
	w.target.found, w.sets = false, map[string]*toySet{}
	w.route, w.services, w.pins = Route{}, Services{}, Pins{}
}

// pass lets time go by.
func (w *toy) pass(d time.Duration) {
	w.now = w.now.Add(d)
	w.trail = slices.DeleteFunc(w.trail, func(t trail) bool { return !t.until.After(w.now) })
}

// mayReceive says whether traffic may still go to the canary Service.
func (w *toy) mayReceive() bool {
	if w.route.Found && w.route.Split.Reaches() {
		return true
	}
	return slices.ContainsFunc(w.trail, func(t trail) bool { return t.split.Reaches() })
}
