package controller

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/annotated"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// byRun is the index of the Canaries that have a run, by their profile.
const byRun = "run"

func indexRun(canary *v1beta1.Canary) []string {
	if canary.Status.Run == nil {
		return nil
	}
	return profileOf(canary)
}

// queue is what a profile lets be on of its Canaries' runs, and what waits.
type queue struct {
	limits *v1beta1.ProfileLimits
	// on counts the runs whose turn has come, by their namespace, and of all of them.
	on  map[string]int32
	all int32
	// waiting are in the order in which they came.
	waiting []*v1beta1.Canary
}

// newQueue sorts the Canaries of a profile that have a run.
func newQueue(limits *v1beta1.ProfileLimits, runs []*v1beta1.Canary) *queue {
	q := &queue{limits: limits, on: map[string]int32{}}
	for _, c := range runs {
		switch run := c.Status.Run; {
		case run == nil:
		case run.Queue != nil:
			q.waiting = append(q.waiting, c)
		default:
			q.begin(c)
		}
	}
	slices.SortFunc(q.waiting, func(a, b *v1beta1.Canary) int {
		return cmp.Or(a.Status.Run.Queue.Since.Compare(b.Status.Run.Queue.Since.Time), cmp.Compare(a.UID, b.UID))
	})
	return q
}

func (q *queue) begin(c *v1beta1.Canary) {
	q.on[c.Namespace]++
	q.all++
}

// room says that one more may be on in a namespace.
func (q *queue) room(namespace string) bool {
	within := func(most *int32, on int32) bool { return most == nil || on < *most }
	return within(q.limits.MaxRuns, q.all) && within(q.limits.MaxRunsPerNamespace, q.on[namespace])
}

// granted are those of the waiting that may begin. One whose namespace is full holds up none of another.
func (q *queue) granted() map[types.UID]bool {
	granted := map[types.UID]bool{}
	for _, c := range q.waiting {
		if q.room(c.Namespace) {
			granted[c.UID] = true
			q.begin(c)
		}
	}
	return granted
}

// allows are the limits in a sentence.
func (q *queue) allows(profile string) string {
	var most []string
	if n := q.limits.MaxRuns; n != nil {
		most = append(most, fmt.Sprintf("maxRuns %d", *n))
	}
	if n := q.limits.MaxRunsPerNamespace; n != nil {
		most = append(most, fmt.Sprintf("maxRunsPerNamespace %d", *n))
	}
	return fmt.Sprintf("CanaryProfile %s has %s", profile, strings.Join(most, " and "))
}

// queueOf is that of a profile; nil where it limits no runs.
func (c *caches) queueOf(profile string) *queue {
	if profile == "" || c.noProfiles != "" {
		return nil
	}
	p, err := annotated.Profile(map[string]string{v1beta1.AnnotationProfile: profile}, c.profiles())
	if err != nil || p == nil || p.Spec.Limits == nil || p.Spec.Limits.MaxRuns == nil && p.Spec.Limits.MaxRunsPerNamespace == nil {
		return nil
	}
	return newQueue(p.Spec.Limits, c.runsOf(profile))
}

// runsOf are the Canaries of a profile that have a run.
func (c *caches) runsOf(profile string) []*v1beta1.Canary {
	objs, err := c.weir.Weir().V1beta1().Canaries().Informer().GetIndexer().ByIndex(byRun, profile)
	if err != nil {
		return nil // there is that index
	}
	runs := make([]*v1beta1.Canary, 0, len(objs))
	for _, obj := range objs {
		if canary, ok := obj.(*v1beta1.Canary); ok {
			runs = append(runs, canary)
		}
	}
	return runs
}

// turn is a Canary's place by the limits of its profile; nil where they let it begin whenever it likes, and where its turn
// has come.
func (c *caches) turn(canary *v1beta1.Canary) *rollout.Turn {
	if run := canary.Status.Run; run != nil && run.Queue == nil {
		return nil
	}
	profile := canary.Annotations[v1beta1.AnnotationProfile]
	q := c.queueOf(profile)
	if q == nil {
		return nil
	}
	turn := &rollout.Turn{Limit: q.allows(profile), Position: int32(len(q.waiting)) + 1}
	for i, other := range q.waiting {
		if other.UID == canary.UID {
			turn.Position = int32(i) + 1
		}
	}
	turn.Granted = q.granted()[canary.UID]
	return turn
}

// listenForTurns wakes those whose turn has come when a run begins or ends.
func (c *caches) listenForTurns() error {
	of := func(obj any) (profile string, run *v1beta1.RunStatus) {
		if canary, ok := obj.(*v1beta1.Canary); ok {
			return canary.Annotations[v1beta1.AnnotationProfile], canary.Status.Run
		}
		return "", nil
	}
	_, err := c.weir.Weir().V1beta1().Canaries().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(was, is any) {
			before, ran := of(was)
			after, runs := of(is)
			if ran != nil && (runs == nil || before != after) {
				c.wakeNext(before)
			}
		},
		DeleteFunc: func(obj any) {
			if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = tombstone.Obj
			}
			if profile, run := of(obj); run != nil {
				c.wakeNext(profile)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watching for turns: %w", err)
	}
	return nil
}

// nextInLine are so many that are told of their place each time that somebody before them goes.
const nextInLine = 3

// wakeNext wakes those of a profile that may begin, and those that come next.
func (c *caches) wakeNext(profile string) {
	q := c.queueOf(profile)
	if q == nil {
		return
	}
	granted, next := q.granted(), 0
	for _, canary := range q.waiting {
		if !granted[canary.UID] {
			if next++; next > nextInLine {
				continue
			}
		}
		c.wake(keyOf(canary))
	}
}
