package cli

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// answer is what one read gives, and what the watch after it tells before it ends.
type answer struct {
	version string
	err     error
	events  []watch.Event
}

// told gives one answer after the other to a watcher, and says what it passed on. When there is none left, its
// context ends.
func told(t *testing.T, answers ...answer) (passed []string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var now answer
		s := source[corev1.Pod]{
			read: func(context.Context, metav1.ListOptions) (*corev1.Pod, string, error) {
				if len(answers) == 0 {
					stop()
					return nil, "", ctx.Err()
				}
				now, answers = answers[0], answers[1:]
				return pod("read " + now.version), now.version, now.err
			},
			watch: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
				assert.Equal(t, now.version, o.ResourceVersion, "a watch begins where the read ended")
				assert.Equal(t, "metadata.name=podinfo", o.FieldSelector)
				events := watch.NewFakeWithChanSize(len(now.events), false)
				for _, e := range now.events {
					events.Action(e.Type, e.Object)
				}
				events.Stop()
				return events, nil
			},
		}
		err = s.tell(ctx, "podinfo", func(p *corev1.Pod) {
			if p == nil {
				passed = append(passed, "gone")
				return
			}
			passed = append(passed, p.Name)
		})
	})
	return passed, err
}

func pod(name string) *corev1.Pod { return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}} }

func TestTellGoesOnWhenTheWatchEnds(t *testing.T) {
	passed, err := told(t,
		answer{version: "1", events: []watch.Event{
			{Type: watch.Modified, Object: pod("changed")},
			{Type: watch.Error, Object: &metav1.Status{Code: 410}},
			{Type: watch.Modified, Object: pod("never")},
		}},
		answer{err: errors.New("no connection")},
		answer{version: "2", events: []watch.Event{{Type: watch.Deleted, Object: pod("it")}}},
	)
	assert.Equal(t, []string{"read 1", "changed", "read 2", "gone"}, passed)
	assert.ErrorIs(t, err, context.Canceled, "an end that is nobody's error would look like success")
}

func TestTellGivesUp(t *testing.T) {
	refused := errors.New("no connection")
	_, err := told(t, answer{err: refused}, answer{version: "1"})
	assert.Equal(t, refused, err, "at first, so that a mistyped address is told at once")

	forbidden := apierrors.NewForbidden(schema.GroupResource{}, "podinfo", nil)
	_, err = told(t, answer{version: "1"}, answer{err: forbidden}, answer{version: "2"})
	assert.Equal(t, forbidden, err, "when the right is taken away")
}
