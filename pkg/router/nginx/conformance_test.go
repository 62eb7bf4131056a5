package nginx_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/nginx"
	"weir.dev/weir/pkg/router/routertest"
)

func TestConformance(t *testing.T) {
	users, err := os.ReadFile("testdata/user.yaml")
	require.NoError(t, err)
	routertest.Run(t, routertest.Subject{
		Router: nginx.Router{}, // Ingresses are a kind of every API server
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

// shares are those of every path of a canary's Ingress.
func shares(objects []*unstructured.Unstructured) []map[string]int64 {
	var all []map[string]int64
	for _, o := range objects {
		weight, err := strconv.ParseInt(o.GetAnnotations()[prefix+"canary-weight"], 10, 64)
		if err != nil || o.GetAnnotations()[prefix+"canary"] != "true" {
			continue
		}
		for _, path := range paths(o) {
			share := map[string]int64{routertest.Primary: 100 - weight}
			share[path["backend"].(map[string]any)["service"].(map[string]any)["name"].(string)] = weight
			all = append(all, share)
		}
	}
	return all
}

// ways are the annotations that send requests to the canary whatever its weight.
func ways(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, o := range objects {
		annotations := o.GetAnnotations()
		for _, key := range slices.Sorted(maps.Keys(annotations)) {
			if strings.HasPrefix(key, prefix+"canary-by-") {
				all = append(all, fmt.Sprintf("%s=%s", key, annotations[key]))
			}
		}
	}
	return all
}

// changes are the user's, of his Ingress.
func changes() []routertest.Edit {
	return []routertest.Edit{
		{Name: "a new path", Do: func(i *unstructured.Unstructured) {
			rules := rulesOf(i)
			http := rules[0]["http"].(map[string]any)
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
		{Name: "an annotation", Do: annotate("proxy-body-size", "8m")},
	}
}

func damage() []routertest.Edit {
	return []routertest.Edit{
		{Name: "the weight was changed", Do: annotate("canary-weight", "90")},
		{Name: "the weight was made no number", Do: annotate("canary-weight", "few")},
		{Name: "it was made an Ingress like any other", Do: annotate("canary", "false")},
		{Name: "another header was asked for", Do: annotate("canary-by-header", "x-other")},
		{Name: "another value was asked for", Do: annotate("canary-by-header-value", "always")},
		{Name: "the header's value was removed", Do: func(i *unstructured.Unstructured) {
			annotations := i.GetAnnotations()
			delete(annotations, prefix+"canary-by-header-value")
			i.SetAnnotations(annotations)
		}},
		{Name: "an annotation of the user's was changed", Do: annotate("proxy-read-timeout", "1")},
		{Name: "it was sent to the apex", Do: func(i *unstructured.Unstructured) {
			paths(i)[0]["backend"].(map[string]any)["service"].(map[string]any)["name"] = routertest.Apex
		}},
		{Name: "a host was taken away", Do: func(i *unstructured.Unstructured) {
			spec := i.Object["spec"].(map[string]any)
			spec["rules"] = spec["rules"].([]any)[:1]
		}},
		{Name: "its owner was removed", Do: func(i *unstructured.Unstructured) { i.SetOwnerReferences(nil) }},
	}
}

const prefix = nginx.DefaultPrefix + "/"

func annotate(key, value string) func(*unstructured.Unstructured) {
	return func(i *unstructured.Unstructured) {
		annotations := i.GetAnnotations()
		annotations[prefix+key] = value
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
