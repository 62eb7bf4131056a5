package knative

import (
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router"
)

// What is written is kept as JSON has it, and as Knative's own defaults leave it: an entry without latestRevision would
// be changed as it is written, and would not be Weir's any more.
type object = map[string]any

// all of the traffic, in percent.
const all = 100

// sides are the Revisions between which a split is made.
type sides struct {
	primary string
	// other is the canary's, or one that is about to lose what it has; empty where there is none.
	other string
}

// sidesOf says who they are; false where nobody can be sent everything to.
func sidesOf(app router.App, have *unstructured.Unstructured) (sides, bool) {
	st := &app.Canary.Status
	if st.Primary == nil {
		name := serves(have)
		return sides{primary: name}, name != ""
	}
	s := sides{primary: st.Primary.ReplicaSet}
	for _, r := range []*v1beta1.RevisionStatus{st.Retiring, st.Canary} {
		if r != nil && r.ReplicaSet != s.primary {
			s.other = r.ReplicaSet
			break
		}
	}
	return s, true
}

// serves is the Revision that has all of the traffic; where none has any, the latest that is ready.
func serves(have *unstructured.Unstructured) string {
	shares := statusShares(have)
	for name, percent := range shares {
		if percent == all {
			return name
		}
	}
	if len(shares) > 0 {
		return ""
	}
	return text(have, "status", "latestReadyRevisionName")
}

// entries are the shares of a split: of who gets anything.
func (s sides) entries(weight int32) []any {
	switch {
	case s.other == "" || weight <= 0:
		return []any{share(s.primary, all)}
	case weight >= all:
		return []any{share(s.other, all)}
	}
	return []any{share(s.primary, all-weight), share(s.other, weight)}
}

func share(revision string, percent int32) object {
	return object{"revisionName": revision, "latestRevision": false, "percent": int64(percent)}
}

// written is spec.traffic with these shares in the place of those that stand there. What has no share stays as it is. A tag
// that somebody has given a share in the midst of it keeps its Revision, and loses the share.
func written(have *unstructured.Unstructured, shares []any) []any {
	var out []any
	put := false
	for _, e := range traffic(have, "spec") {
		if percentOf(e) == 0 {
			out = append(out, e)
			continue
		}
		if !put {
			out, put = append(out, shares...), true
		}
		if e["tag"] != nil {
			kept := maps.Clone(e)
			kept["percent"] = int64(0)
			out = append(out, kept)
		}
	}
	if !put {
		out = append(out, shares...)
	}
	return out
}

// adoptable refuses shares that could not be given back as they were.
func adoptable(have *unstructured.Unstructured) error {
	shares := 0
	for i, e := range traffic(have, "spec") {
		if percentOf(e) == 0 {
			continue
		}
		if shares++; shares > 1 {
			return fmt.Errorf("%s divides its traffic by spec.traffic already; give one revision all of it", called(have))
		}
		if e["tag"] != nil {
			return fmt.Errorf("%s has a tag on spec.traffic[%d], which gets traffic, and Weir says by entries of its own who gets "+
				"some; give the tag an entry of its own, without percent", called(have), i)
		}
	}
	return nil
}

// traffic are the entries of a spec or a status.
func traffic(have *unstructured.Unstructured, of string) []object {
	list, _, _ := unstructured.NestedFieldNoCopy(have.Object, of, "traffic")
	return router.Objects(list)
}

// percentOf is an entry's share; one that says nothing of it has none.
func percentOf(entry object) int64 {
	percent, _ := entry["percent"].(int64)
	return percent
}

// statusShares are those that Knative says that it serves, by Revision.
func statusShares(have *unstructured.Unstructured) map[string]int64 {
	return sharesOf(traffic(have, "status"))
}

func sharesOf(entries []object) map[string]int64 {
	shares := map[string]int64{}
	for _, e := range entries {
		if percent := percentOf(e); percent != 0 {
			name, _ := e["revisionName"].(string)
			shares[name] += percent
		}
	}
	return shares
}

// isLatest says that a Revision is both the newest and the latest that is ready.
func isLatest(have *unstructured.Unstructured, revision string) bool {
	return text(have, "status", "latestCreatedRevisionName") == revision &&
		text(have, "status", "latestReadyRevisionName") == revision
}

// isWeirs says that Weir has written the shares, and has not given them back, or has not given up its fields yet.
func isWeirs(have *unstructured.Unstructured) bool {
	_, ok := have.GetAnnotations()[router.AppliedAnnotation]
	return ok || slices.ContainsFunc(have.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager == v1beta1.FieldManager
	})
}

func text(have *unstructured.Unstructured, field ...string) string {
	s, _, _ := unstructured.NestedString(have.Object, field...)
	return s
}

// called is what an object is called in a message.
func called(o *unstructured.Unstructured) string {
	return fmt.Sprintf("Knative Service %s/%s", o.GetNamespace(), o.GetName())
}
