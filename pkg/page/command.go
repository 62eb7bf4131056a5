package page

import (
	"crypto/hmac"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/words"
)

// order gives a command. It is written by Weir itself, and not in the visitor's name: to impersonate anybody is the
// largest right that there is in a cluster. The API server is asked right before whether the visitor may do the same,
// and the command carries the name that the API server knows them by.
func (p *Page) order(w http.ResponseWriter, r *http.Request) error {
	key := types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
	if !p.options.Commands {
		return refusal{http.StatusForbidden, "Commands are off here. Start Weir with --dashboard-commands, or use kubectl weir."}
	}
	v, err := p.access.visitor(r.Context(), tokenOf(r), true)
	switch {
	case err != nil:
		return err
	case !v.known():
		return refusal{http.StatusUnauthorized, "Log in first."}
	case !hmac.Equal([]byte(r.PostFormValue("csrf")), []byte(v.csrf())):
		return refusal{http.StatusForbidden, "This form is of an earlier login. Go back, reload the page, and try again."}
	}
	yes, err := p.access.may(r.Context(), v, true, "patch", key.Namespace, key.Name)
	switch {
	case err != nil:
		return err
	case !yes:
		return refusal{http.StatusForbidden, v.user.Username + " may not patch Canary " + key.Name + " in namespace " +
			key.Namespace + ", which a command takes."}
	}
	canary, _, ok := p.store.get(key)
	if !ok {
		return refusal{http.StatusNotFound, "There is no Canary " + key.Name + " in namespace " + key.Namespace + "."}
	}
	command, err := asked(r, canary)
	if err != nil {
		return err
	}
	command.ID, command.Actor = string(uuid.NewUUID()), v.user.Username
	if err := kube.Order(r.Context(), p.options.Weir, canary, command); err != nil {
		return err
	}
	p.options.Log.Info("a command was given by the dashboard", "canary", key.String(), "verb", command.Verb, "actor", command.Actor)
	http.Redirect(w, r, pathOf(key)+"?ordered="+url.QueryEscape(command.ID), http.StatusSeeOther)
	return nil
}

// asked is the command of a form. It has to be one that makes sense as the Canary stands, of the run that was looked at.
func asked(r *http.Request, canary *v1beta1.Canary) (v1beta1.Command, error) {
	if r.PostFormValue("run") != runOf(canary) {
		return v1beta1.Command{}, refusal{http.StatusConflict,
			"Another run is on than the one that you saw. Nothing was ordered; look again."}
	}
	reason := strings.TrimSpace(words.Typed(r.PostFormValue("reason")))
	for _, o := range words.Orders(canary) {
		c := o.Command
		if c.Verb != r.PostFormValue("verb") || c.Gate != r.PostFormValue("gate") || c.Full != (r.PostFormValue("full") == "true") {
			continue
		}
		if reason == "" && needsReason(c) {
			return v1beta1.Command{}, refusal{http.StatusBadRequest, "Say why: this cannot be taken back. Nothing was ordered."}
		}
		if len([]rune(reason)) > longestReason {
			return v1beta1.Command{}, refusal{http.StatusBadRequest, "The reason is longer than 512 characters. Nothing was ordered."}
		}
		c.Reason = reason
		return c, nil
	}
	return v1beta1.Command{}, refusal{http.StatusConflict,
		"That makes no sense any more as the run stands. Nothing was ordered; look again."}
}

// longestReason is the most characters that Weir takes.
const longestReason = 512

// needsReason says that a command cannot be taken back, and is not given without a word.
func needsReason(c v1beta1.Command) bool { return c.Verb == v1beta1.VerbAbort || c.Full }

func runOf(c *v1beta1.Canary) string {
	if c.Status.Run == nil {
		return ""
	}
	return c.Status.Run.ID
}

func pathOf(key types.NamespacedName) string {
	return "/canaries/" + url.PathEscape(key.Namespace) + "/" + url.PathEscape(key.Name)
}
