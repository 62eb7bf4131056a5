package skipper

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split that stands in the annotations. Nobody says whether Skipper has taken it over, so it counts as
// accepted where all Ingresses are as Weir leaves them; else the next apply puts it right.
func (r Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	if app.Canary.Spec.IngressRef == nil {
		return rollout.Route{}
	}
	pair := found[ownRefs(app)[0]]
	if pair == nil || !router.IsMade(app, pair) {
		return rollout.Route{}
	}
	route := rollout.Route{Found: true, Split: splitOf(app, committed, found)}
	if err := divisible(app, found[router.UsersIngress(app)]); err != nil {
		route.Refused = err.Error()
		return route
	}
	if route.Refused = addedTo(app, found); route.Refused != "" {
		return route
	}
	again, err := r.Render(app, route.Split, found)
	route.Accepted = err == nil && !slices.ContainsFunc(again, func(o router.Object) bool {
		return found[o.Ref] == nil || !router.AsMade(found[o.Ref], o.Intent)
	})
	return route
}

// splitOf is the split that the annotations say. The committed match is known again by what it is rendered to.
func splitOf(app router.App, committed rollout.Split, found router.Found) rollout.Split {
	split := rollout.Split{}
	if pair := found[ownRefs(app)[0]]; pair != nil {
		split.Weight = weightIn(app, pair)
	}
	for _, match := range [][]v1beta1.RequestMatch{committed.Match, nil} {
		split.Match = match
		if ways, err := waysOf(app, split); err == nil && open(app, ways, found) {
			return split
		}
	}
	split.Match = unknown()
	return split
}

// open says that just these ways are.
func open(app router.App, ways []piece, found router.Found) bool {
	for i, ref := range ownRefs(app)[1:] {
		predicates, ought := never, shut()
		if have := found[ref]; have != nil {
			predicates = have.GetAnnotations()[predicateKey]
		}
		if i < len(ways) {
			ought = ways[i]
		}
		if !standsAs(predicates, ought) {
			return false
		}
	}
	return true
}

// unknown stands for requests that go to the canary by a match which is not the committed one. Nobody can have
// committed to it: this router refuses source labels.
func unknown() []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{SourceLabels: map[string]string{"weir.dev/unknown": ""}}}
}

// standsAs says that predicates begin with those of a piece. The rank at the end of these keeps them from being the
// beginning of others.
func standsAs(predicates string, p piece) bool {
	after, ok := strings.CutPrefix(predicates, p.predicates)
	return ok && (after == "" || strings.HasPrefix(after, " && "))
}

// weightIn is the canary's share of what the pair takes, in percent. What is not Weir's way to say it could be all.
func weightIn(app router.App, pair *unstructured.Unstructured) int32 {
	annotations := pair.GetAnnotations()
	predicates := annotations[predicateKey]
	if standsAs(predicates, shut()) {
		return 0
	}
	share := shareIn(app, annotations[weightsKey])
	if traffic, ok := strings.CutPrefix(predicates, trafficBegins); ok {
		number, after, _ := strings.Cut(traffic, ") && ")
		part, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return full
		}
		share, predicates = share*part, after
	}
	percent := math.Round(share * full)
	whole := percent >= 0 && percent <= full && math.Abs(share*full-percent) <= 1e-6 // which NaN is not
	if !standsAs(predicates, piece{predicates: pairsRank}) || !whole {
		return full
	}
	return int32(percent)
}

// shareIn is the canary's, as Skipper reads weights: without any, both get the same.
func shareIn(app router.App, written string) float64 {
	var weights map[string]float64
	_ = json.Unmarshal([]byte(written), &weights) // what cannot be read says nothing, to Skipper, too
	both := weights[app.Primary] + weights[app.CanaryService]
	if both == 0 {
		return 0.5
	}
	return weights[app.CanaryService] / both
}

// reaches says that some request may get to the canary by Weir's Ingresses as they are.
func reaches(app router.App, found router.Found) bool {
	return splitOf(app, rollout.Split{}, found).Reaches()
}

// addedTo tells what others have added to Weir's Ingresses and Weir, which has never set it, cannot take away.
func addedTo(app router.App, found router.Found) string {
	for _, ref := range ownRefs(app) {
		have := found[ref]
		if have == nil {
			continue
		}
		var added string
		switch {
		case strings.TrimSpace(have.GetAnnotations()[routesKey]) != "":
			added = "the annotation " + routesKey
		case router.IngressSpec(have)["defaultBackend"] != nil:
			added = "spec.defaultBackend"
		default:
			continue
		}
		return fmt.Sprintf("Ingress %s/%s has got %s, by which requests go another way than Weir says; remove it",
			ref.Namespace, ref.Name, added)
	}
	return ""
}
