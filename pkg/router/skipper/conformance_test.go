package skipper_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/routertest"
	"weir.dev/weir/pkg/router/skipper"
)

func TestConformance(t *testing.T) {
	users, err := os.ReadFile("testdata/user.yaml")
	require.NoError(t, err)
	routertest.Run(t, routertest.Subject{
		Router: skipper.Router{}, // Ingresses are a kind of every API server
		Beside: []string{string(users)},
		Needs: func(s *v1beta1.CanarySpec) {
			s.IngressRef = &v1beta1.IngressRef{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Name: routertest.Apex}
		},
		Shares:  shares,
		Ways:    ways,
		Changes: changes(),
		Damage:  damage(),
	})
}

const (
	predicate = "zalando.org/skipper-predicate"
	filter    = "zalando.org/skipper-filter"
	weights   = "zalando.org/backend-weights"
)

var traffic = regexp.MustCompile(`^Traffic\(([0-9.]+)\) && `)

// shares are those of every path of the pair. What the pair does not take goes to the primary, too.
func shares(objects []*unstructured.Unstructured) []map[string]int64 {
	var all []map[string]int64
	for _, o := range objects {
		annotations := o.GetAnnotations()
		var of map[string]int64
		if json.Unmarshal([]byte(annotations[weights]), &of) != nil {
			continue
		}
		first, taken := annotations[predicate], 1.0
		if part := traffic.FindStringSubmatch(first); part != nil {
			taken, _ = strconv.ParseFloat(part[1], 64)
			first = strings.TrimPrefix(first, part[0])
		}
		if first == "False()" {
			taken = 0
		} else if first != "Weight(1)" && !strings.HasPrefix(first, "Weight(1) && ") {
			continue
		}
		byHost := map[string]map[string]int64{}
		for _, path := range paths(o) {
			at := path["path"].(string)
			service := path["backend"].(map[string]any)["service"].(map[string]any)["name"].(string)
			if byHost[at] == nil {
				byHost[at] = map[string]int64{}
			}
			byHost[at][service] = int64(taken*float64(of[service]) + 0.5)
		}
		for _, share := range byHost {
			if _, both := share[routertest.Primary]; both {
				share[routertest.Primary] = 100 - share[routertest.Canary]
			}
			all = append(all, share)
		}
	}
	return all
}

// ways are the predicates of Ingresses with the canary alone, and the cookie that the pair's answers set.
func ways(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, o := range objects {
		annotations := o.GetAnnotations()
		if strings.Contains(annotations[filter], "Set-Cookie") {
			all = append(all, annotations[filter])
		}
		if strings.HasPrefix(o.GetName(), routertest.Apex+"-canary-match-") && annotations[predicate] != "False()" {
			all = append(all, fmt.Sprintf("%s %s", annotations[predicate], paths(o)))
		}
	}
	return all
}

// changes are the user's, of his Ingress.
func changes() []routertest.Edit {
	return []routertest.Edit{
		{Name: "a new path", Do: func(i *unstructured.Unstructured) {
			http := rulesOf(i)[0]["http"].(map[string]any)
			http["paths"] = append(http["paths"].([]any), map[string]any{
				"path": "/beta", "pathType": "Prefix",
				"backend": map[string]any{"service": map[string]any{"name": "podinfo", "port": map[string]any{"number": int64(9898)}}},
			})
		}},
		{Name: "a path less", Do: func(i *unstructured.Unstructured) {
			spec := i.Object["spec"].(map[string]any)
			spec["rules"] = spec["rules"].([]any)[:1]
		}},
		{Name: "another host", Do: func(i *unstructured.Unstructured) { rulesOf(i)[0]["host"] = "www.example.com" }},
		{Name: "another class", Do: func(i *unstructured.Unstructured) {
			i.Object["spec"].(map[string]any)["ingressClassName"] = "internal"
		}},
		{Name: "other predicates", Do: annotate(predicate, `Method("POST")`)},
		{Name: "no predicates", Do: annotate(predicate, "")},
		{Name: "other filters", Do: annotate(filter, `setResponseHeader("X-Shop", "2")`)},
		{Name: "a balance of its own", Do: annotate("zalando.org/skipper-loadbalancer", "consistentHash")},
	}
}

func damage() []routertest.Edit {
	return []routertest.Edit{
		{Name: "the weights were changed", Do: onlyPair(annotate(weights, `{"podinfo-canary":90,"podinfo-primary":10}`))},
		{Name: "the weights were made no numbers", Do: onlyPair(annotate(weights, "few"))},
		{Name: "the weights were removed", Do: onlyPair(annotate(weights, ""))},
		{Name: "the pair's predicates were removed", Do: onlyPair(annotate(predicate, ""))},
		{Name: "the pair was shut", Do: onlyPair(annotate(predicate, "False()"))},
		{Name: "the pair's rank was raised", Do: onlyPair(annotate(predicate, `Weight(9) && Method("GET")`))},
		{Name: "the ways were shut", Do: onlyWays(annotate(predicate, "False()"))},
		{Name: "the ways' predicates were removed", Do: onlyWays(annotate(predicate, ""))},
		{Name: "the ways were made for others", Do: onlyWays(annotate(predicate, `HeaderRegexp("x-other", "^1$") && Weight(2)`))},
		{Name: "the ways lost all conditions but one", Do: onlyWays(
			annotate(predicate, `HeaderRegexp("x-insider", "^yes$") && Weight(2)`))},
		{Name: "the user's filters were removed", Do: annotate(filter, "")},
		{Name: "they were sent to the apex", Do: func(i *unstructured.Unstructured) {
			paths(i)[0]["backend"].(map[string]any)["service"].(map[string]any)["name"] = routertest.Apex
		}},
		{Name: "a host was taken away", Do: func(i *unstructured.Unstructured) {
			spec := i.Object["spec"].(map[string]any)
			spec["rules"] = spec["rules"].([]any)[:1]
		}},
		{Name: "their owner was removed", Do: func(i *unstructured.Unstructured) { i.SetOwnerReferences(nil) }},
	}
}

func isPair(i *unstructured.Unstructured) bool { return strings.HasSuffix(i.GetName(), "-canary") }

func onlyPair(do func(*unstructured.Unstructured)) func(*unstructured.Unstructured) {
	return func(i *unstructured.Unstructured) {
		if isPair(i) {
			do(i)
		}
	}
}

func onlyWays(do func(*unstructured.Unstructured)) func(*unstructured.Unstructured) {
	return func(i *unstructured.Unstructured) {
		if !isPair(i) {
			do(i)
		}
	}
}

// annotate sets an annotation, or removes it.
func annotate(key, value string) func(*unstructured.Unstructured) {
	return func(i *unstructured.Unstructured) {
		annotations := i.GetAnnotations()
		if annotations[key] = value; value == "" {
			delete(annotations, key)
		}
		i.SetAnnotations(annotations)
	}
}

func rulesOf(i *unstructured.Unstructured) []map[string]any {
	var all []map[string]any
	for _, rule := range i.Object["spec"].(map[string]any)["rules"].([]any) {
		all = append(all, rule.(map[string]any))
	}
	return all
}

func paths(i *unstructured.Unstructured) []map[string]any {
	var all []map[string]any
	for _, rule := range rulesOf(i) {
		for _, path := range rule["http"].(map[string]any)["paths"].([]any) {
			all = append(all, path.(map[string]any))
		}
	}
	return all
}
