package controller

import (
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubefake "k8s.io/client-go/kubernetes/fake"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// told are the events that come of notices, each of them told twice, as after a restart.
func told(t *testing.T, notices ...rollout.Notice) []eventsv1.Event {
	t.Helper()
	o := &observation{
		canary: &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app", UID: "canary"}},
		workload: workload.OfDeployment(&appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app", UID: "target"},
		}),
	}
	client := kubefake.NewClientset()
	for range 2 {
		c := &Controller{clients: Clients{Kube: client}, options: Options{Now: time.Now}, caller: &caller{}}
		c.announce(t.Context(), o, &o.canary.Status, notices, slog.New(slog.DiscardHandler))
	}
	list, err := client.EventsV1().Events("shop").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	return list.Items
}

func TestTellingTwiceIsTellingOnce(t *testing.T) {
	kinds := map[string]int{}
	events := told(t,
		rollout.Notice{ID: "run-1/Promoted", Reason: "Promoted", Message: "one"},
		rollout.Notice{ID: "run-2/Promoted", Reason: "Promoted", Message: "another", OnTarget: true})
	for i := range events {
		kinds[events[i].Regarding.Kind+" "+events[i].Note]++
	}
	assert.Equal(t, map[string]int{"Canary one": 1, "Canary another": 1, "Deployment another": 1}, kinds)
}

func TestALongNoteIsCut(t *testing.T) {
	whole := strings.Repeat("x", longestNote)
	assert.Equal(t, whole, told(t, rollout.Notice{ID: "1", Message: whole})[0].Note)
	for shift := range 4 { // wherever the cut falls within a letter
		note := told(t, rollout.Notice{ID: "1", Message: strings.Repeat("x", shift) + strings.Repeat("€", longestNote)})[0].Note
		assert.LessOrEqual(t, len(note), longestNote)
		assert.True(t, utf8.ValidString(note), "half a letter")
		assert.True(t, strings.HasSuffix(note, "€..."))
	}
}
