package workload

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestEveryQuantityIsLookedAt: each field of a pod's template that is a quantity is below a name that is known.
func TestEveryQuantityIsLookedAt(t *testing.T) {
	found := 0
	var walk func(of reflect.Type, path string, within bool)
	walk = func(of reflect.Type, path string, within bool) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(of.Elem(), path, within)
		case reflect.Struct:
			if of == reflect.TypeFor[resource.Quantity]() {
				found++
				assert.True(t, within, path)
				return
			}
			for f := range of.Fields() {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				walk(f.Type, path+"."+name, within || holdsQuantities(name))
			}
		default:
		}
	}
	walk(reflect.TypeFor[corev1.PodTemplateSpec](), "", false)
	assert.Greater(t, found, 10)
}

// FuzzJobTemplate: whatever is written is read or refused at once, and what is taken can be run to its end.
func FuzzJobTemplate(f *testing.F) {
	for _, raw := range []string{
		`{"spec": {"containers": [{"name": "a", "image": "b", "resources": {"limits": {"cpu": "500m", "memory": 1e3}}}]}}`,
		`{"spec": {"containers": [{"resources": {"limits": {"cpu": "1234567890123456789012e2147483647"}}}]}}`,
		`{"Spec": {"Containers": [{"Resources": {"limitſ": {"cpu": 1234567890123456789012e-99999999}}}]}}`,
		`{"spec": {"containers": [{"env": [{"name": "REVISION", "value": "12e34567"}]}]}}`,
		`{"spec": {"containers": [{}], "volumes": [{"emptyDir": {"sizeLimit": "1Gi"}}]}}`,
		`{"spec": {"containers": [], "restartPolicy": "Always"}}`, `{"spec": {"restartPolicy": "Never", "containers": [null]}}`,
		`null`, `[]`, `{}`, ``, `{"spec": 1}`, `{"spec": {"containers": [{"comand": ["a"]}]}}`,
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := &v1beta1.JobProvider{}
		p.Template.Raw = raw
		began := time.Now()
		template, err := JobTemplate(p)
		require.Less(t, time.Since(began), 5*time.Second)
		if err != nil {
			require.Nil(t, template)
			require.Contains(t, err.Error(), "spec.provider.job.template")
			return
		}
		require.NotEmpty(t, template.Spec.Containers)
		require.NotEqual(t, corev1.RestartPolicyAlways, template.Spec.RestartPolicy)
	})
}
