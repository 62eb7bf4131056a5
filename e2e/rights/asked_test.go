package rights

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"

	"weir.dev/weir/e2e/rehearsal"
)

const (
	// system is where the operator is installed.
	system = rehearsal.System
	// account is who the operator is to the API server.
	account = "system:serviceaccount:" + system + ":weir"
)

// auditPolicy keeps what the operator asks for.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["` + account + `"]
- level: None
`

// ask is what is asked of whoever authorizes.
type ask struct{ verb, group, resource, namespace, name string }

func (a ask) String() string {
	return fmt.Sprintf("%s %s %s/%s", a.verb, qualified(a.group, a.resource), a.namespace, a.name)
}

// qualified as in canaries.weir.dev/status.
func qualified(group, resource string) string {
	if group == "" {
		return resource
	}
	before, after, divided := bytes.Cut([]byte(resource), []byte("/"))
	if !divided {
		return resource + "." + group
	}
	return fmt.Sprintf("%s.%s/%s", before, group, after)
}

// questions is a server that the API server asks before RBAC, and that has no opinion. By it, what is asked in the middle
// of a request is known, too: whether an apply may make the object that is not there, and what an admission plugin asks.
type questions struct {
	*httptest.Server
	mu    sync.Mutex
	asked []ask
}

func listen() *questions {
	q := &questions{}
	q.Server = httptest.NewServer(http.HandlerFunc(q.answer))
	return q
}

func (q *questions) answer(w http.ResponseWriter, r *http.Request) {
	review := &authorizationv1.SubjectAccessReview{}
	if err := json.NewDecoder(r.Body).Decode(review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// What may be listed and watched, the operator asks itself; so of these, requests are the only proof.
	if a := review.Spec.ResourceAttributes; review.Spec.User == account && a != nil && a.Verb != "list" && a.Verb != "watch" {
		resource := a.Resource
		if a.Subresource != "" {
			resource += "/" + a.Subresource
		}
		q.mu.Lock()
		q.asked = append(q.asked, ask{a.Verb, a.Group, resource, a.Namespace, a.Name})
		q.mu.Unlock()
	}
	review.Status = authorizationv1.SubjectAccessReviewStatus{}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review) // the API server would say that it got nothing
}

// taken are the questions since the last time.
func (q *questions) taken() []ask {
	q.mu.Lock()
	defer q.mu.Unlock()
	asked := q.asked
	q.asked = nil
	return asked
}

// event is one line of the audit log, as far as it matters here.
type event struct {
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	ObjectRef  struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		APIGroup    string `json:"apiGroup"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"responseStatus"`
}

func (e event) ask() ask {
	resource := e.ObjectRef.Resource
	if e.ObjectRef.Subresource != "" {
		resource += "/" + e.ObjectRef.Subresource
	}
	return ask{e.Verb, e.ObjectRef.APIGroup, resource, e.ObjectRef.Namespace, e.ObjectRef.Name}
}

// requests are those of the operator that the audit log has from a place on, and the place after them.
func requests(t *testing.T, log string, place int) ([]event, int) {
	t.Helper()
	content, err := os.ReadFile(log)
	require.NoError(t, err)
	content = content[place : bytes.LastIndexByte(content, '\n')+1]
	var all []event
	for line := range bytes.Lines(content) {
		var e event
		require.NoError(t, json.Unmarshal(line, &e))
		all = append(all, e)
	}
	return all, place + len(content)
}

// denied are the requests that the operator had no right to, each once.
func denied(all []event) []string {
	var said []string
	for _, e := range all {
		if e.ResponseStatus.Code == http.StatusForbidden || e.ResponseStatus.Code == http.StatusUnauthorized {
			said = append(said, fmt.Sprintf("%s %s: %s", e.Verb, e.RequestURI, e.ResponseStatus.Message))
		}
	}
	slices.Sort(said)
	return slices.Compact(said)
}
