package workload

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ConfigRef names a ConfigMap or Secret.
type ConfigRef struct {
	// Secret says which of the two it is.
	Secret bool
	Name   string
}

// Kind of the object.
func (r ConfigRef) Kind() string {
	if r.Secret {
		return "Secret"
	}
	return "ConfigMap"
}

// ConfigRefs are the ConfigMaps and Secrets that a template takes configuration from, by its volumes and
// environment, sorted and each once.
func ConfigRefs(t *corev1.PodTemplateSpec) []ConfigRef {
	var refs []ConfigRef
	add := func(secret bool, name string) {
		if name != "" {
			refs = append(refs, ConfigRef{Secret: secret, Name: name})
		}
	}
	for i := range t.Spec.Volumes {
		volumeRefs(&t.Spec.Volumes[i], add)
	}
	for _, containers := range [][]corev1.Container{t.Spec.InitContainers, t.Spec.Containers} {
		for i := range containers {
			environmentRefs(&containers[i], add)
		}
	}
	slices.SortFunc(refs, func(a, b ConfigRef) int {
		return strings.Compare(a.Kind()+"/"+a.Name, b.Kind()+"/"+b.Name)
	})
	return slices.Compact(refs)
}

func volumeRefs(v *corev1.Volume, add func(secret bool, name string)) {
	if v.ConfigMap != nil {
		add(false, v.ConfigMap.Name)
	}
	if v.Secret != nil {
		add(true, v.Secret.SecretName)
	}
	if v.Projected == nil {
		return
	}
	for _, s := range v.Projected.Sources {
		if s.ConfigMap != nil {
			add(false, s.ConfigMap.Name)
		}
		if s.Secret != nil {
			add(true, s.Secret.Name)
		}
	}
}

func environmentRefs(c *corev1.Container, add func(secret bool, name string)) {
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef != nil {
			add(false, from.ConfigMapRef.Name)
		}
		if from.SecretRef != nil {
			add(true, from.SecretRef.Name)
		}
	}
	for _, env := range c.Env {
		if env.ValueFrom == nil {
			continue
		}
		if ref := env.ValueFrom.ConfigMapKeyRef; ref != nil {
			add(false, ref.Name)
		}
		if ref := env.ValueFrom.SecretKeyRef; ref != nil {
			add(true, ref.Name)
		}
	}
}
