package course_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/course"
)

func start() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func at(seconds int) time.Time { return start().Add(time.Duration(seconds) * time.Second) }

func canary(run string, weight int32, checks ...v1beta1.CheckStatus) *v1beta1.Canary {
	c := &v1beta1.Canary{}
	c.Status.Weight, c.Status.Checks, c.Status.Canary = weight, checks, &v1beta1.RevisionStatus{Hash: "h" + run}
	if run != "" {
		c.Status.Run = &v1beta1.RunStatus{ID: run, StartedAt: metav1.NewTime(start())}
	}
	return c
}

func check(seconds int, value string) v1beta1.CheckStatus {
	return v1beta1.CheckStatus{Name: "success", Verdict: v1beta1.VerdictPassed, Value: value, At: metav1.NewTime(at(seconds))}
}

func TestCourseKeepsWhatIsNew(t *testing.T) {
	c := &course.Course{}
	assert.False(t, c.See(canary("", 0), at(0)), "no run is on")
	assert.True(t, c.See(canary("1", 0), at(1)))
	assert.True(t, c.See(canary("1", 10, check(5, "99.5")), at(6)))
	assert.False(t, c.See(canary("1", 10, check(5, "99.5")), at(7)), "it is the same")
	assert.True(t, c.See(canary("1", 10, check(5, "98")), at(8)), "twice in one second")
	assert.True(t, c.See(canary("1", 10, check(10, "")), at(11)))

	assert.Equal(t, []course.Weight{{At: at(1), Weight: 0}, {At: at(6), Weight: 10}}, c.Weights)
	assert.Equal(t, []course.Sample{{At: at(5), Value: 99.5, Known: true, Verdict: "Passed"},
		{At: at(5), Value: 98, Known: true, Verdict: "Passed"}, {At: at(10), Verdict: "Passed"}}, c.Check("success"))
	assert.Equal(t, at(1), c.Since)

	assert.True(t, c.See(canary("", 0), at(20)), "the end takes the traffic away")
	assert.Equal(t, "1", c.Run)
	assert.Equal(t, "h1", c.Revision)
	assert.Len(t, c.Weights, 3)

	assert.True(t, c.See(canary("2", 0, check(-10, "1")), at(30)))
	assert.Empty(t, c.Checks(), "that answer was of a time before the run")
	assert.Equal(t, []course.Weight{{At: at(30), Weight: 0}}, c.Weights)
}

func TestCourseOfAComparisonIsItsEvidence(t *testing.T) {
	c, counted := &course.Course{}, check(1, "4.2")
	counted.Evidence = &v1beta1.EvidenceStatus{Value: "1000", Needed: "20"}
	c.See(canary("1", 10, counted), at(1))
	assert.InDelta(t, 3, c.Check("success")[0].Value, 1e-9)
	counted.Evidence, counted.At = &v1beta1.EvidenceStatus{Value: "0"}, metav1.NewTime(at(2))
	c.See(canary("1", 10, counted), at(2))
	assert.False(t, c.Check("success")[1].Known, "it has no logarithm")
}

func TestCourseIsBounded(t *testing.T) {
	c := &course.Course{}
	for i := range course.Most + 50 {
		c.See(canary("1", int32(i%100), check(i, strconv.Itoa(i))), at(i)) //nolint:gosec // small
	}
	assert.Len(t, c.Weights, course.Most)
	assert.Len(t, c.Check("success"), course.Most)
	assert.InDelta(t, 50, c.Check("success")[0].Value, 0)
}

func TestACloneIsItsOwn(t *testing.T) {
	c := &course.Course{}
	c.See(canary("1", 10, check(1, "1")), at(1))
	clone := c.Clone()
	c.See(canary("1", 20, check(2, "2")), at(2))
	assert.Len(t, clone.Weights, 1)
	assert.Len(t, clone.Check("success"), 1)
}
