package controller

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// longestNote is what the API server takes as an event's note.
const longestNote = 1024

// announce tells people what was committed, or, right after a start, what another operator committed:
// an event on the Canary, and for what concerns the target one on that. An event's name comes
// of its notice, so that telling twice is telling once. What cannot be told is logged and holds nothing up.
func (c *Controller) announce(
	ctx context.Context, o *observation, st *v1beta1.CanaryStatus, notices []rollout.Notice, log *slog.Logger,
) {
	for _, n := range notices {
		log.Info(n.Message, "reason", n.Reason)
		c.caller.tell(o.canary, st, n)
		regarding := []corev1.ObjectReference{referenceTo(o.canary)}
		if w := o.workload; n.OnTarget && w != nil {
			regarding = append(regarding, corev1.ObjectReference{
				APIVersion: cmp.Or(o.canary.Spec.TargetRef.APIVersion, "apps/v1"),
				Kind:       w.Kind, Namespace: w.Namespace, Name: w.Name, UID: w.UID,
			})
		}
		for _, ref := range regarding {
			if err := c.tell(ctx, ref, n); err != nil {
				log.Warn("an event could not be told", "reason", n.Reason, "error", err)
				if !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) && !apierrors.IsInvalid(err) {
					c.seen.doubt(keyOf(o.canary), "")
					c.queue.AddAfter(keyOf(o.canary), staleLook)
				}
			}
		}
	}
}

func referenceTo(canary *v1beta1.Canary) corev1.ObjectReference {
	return corev1.ObjectReference{
		APIVersion: "weir.dev/v1beta1", Kind: "Canary", Namespace: canary.Namespace, Name: canary.Name, UID: canary.UID,
	}
}

// complain tells on the Canary alone, outside of a look.
func (c *Controller) complain(ctx context.Context, canary *v1beta1.Canary, n rollout.Notice) {
	if err := c.tell(ctx, referenceTo(canary), n); err != nil {
		c.options.Log.Warn("an event could not be told", "canary", keyOf(canary), "reason", n.Reason, "error", err)
	}
}

func (c *Controller) tell(ctx context.Context, ref corev1.ObjectReference, n rollout.Notice) error {
	kind := corev1.EventTypeNormal
	if n.Warning {
		kind = corev1.EventTypeWarning
	}
	note := n.Message
	if len(note) > longestNote {
		note = strings.ToValidUTF8(note[:longestNote-3], "") + "..." // half a letter would not be taken
	}
	sum := sha256.Sum256([]byte(string(ref.UID) + "/" + n.ID))
	event := &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name + "." + hex.EncodeToString(sum[:8])},
		EventTime:           metav1.NewMicroTime(c.options.Now()),
		ReportingController: "weir.dev/weir", ReportingInstance: "weir",
		Action: n.Reason, Reason: n.Reason, Regarding: ref, Note: note, Type: kind,
	}
	_, err := c.clients.Kube.EventsV1().Events(ref.Namespace).Create(ctx, event, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
