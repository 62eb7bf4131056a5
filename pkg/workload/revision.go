package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/rand"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// HashLabel tells the pods of one revision from those of another.
const HashLabel = appsv1.DefaultDeploymentUniqueLabelKey

// Equal says that two stored templates are the same revision: they differ in nothing but the label
// that names it.
func Equal(a, b *corev1.PodTemplateSpec) bool {
	return equality.Semantic.DeepEqual(unlabelled(a), unlabelled(b))
}

func unlabelled(t *corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
	c := t.DeepCopy()
	delete(c.Labels, HashLabel)
	if len(c.Labels) == 0 {
		c.Labels = nil
	}
	return c
}

// Digest names a template. It is a name and no more: that two templates are the same is for Equal to
// say, because a newer version of the Go types may write the same template differently.
func Digest(t *corev1.PodTemplateSpec) (string, error) {
	raw, err := json.Marshal(unlabelled(t))
	if err != nil {
		return "", fmt.Errorf("writing the pod template as JSON: %w", err)
	}
	sum := sha256.Sum256(raw)
	const length = 10
	return rand.SafeEncodeString(hex.EncodeToString(sum[:]))[:length], nil
}

// hashOf is the hash on a ReplicaSet's pods, which is what a pin selects by.
func hashOf(rs *appsv1.ReplicaSet) string { return rs.Spec.Template.Labels[HashLabel] }

// Images are those of a template's containers, in their order; as many as a status holds, because a
// status that is refused for one image too many would stop the Canary for good.
func Images(t *corev1.PodTemplateSpec) []string {
	containers := t.Spec.Containers[:min(len(t.Spec.Containers), v1beta1.MaxImages)]
	images := make([]string, 0, len(containers))
	for i := range containers {
		images = append(images, containers[i].Image)
	}
	return images
}

// Revision compares a Deployment's present template with the ReplicaSets of primary and candidate,
// either of which may be nil. Where the Deployment has a ReplicaSet of that template already, the
// revision goes by its name: it will be borrowed, and never be made twice. It is an error where primary
// cannot be told from canary.
func Revision(
	deploy *appsv1.Deployment, sets []*appsv1.ReplicaSet, primary, candidate *appsv1.ReplicaSet,
) (rollout.Revision, error) {
	template := &deploy.Spec.Template
	digest, err := Digest(template)
	if err != nil {
		return rollout.Revision{}, fmt.Errorf("naming the revision of Deployment %s: %w", deploy.Name, err)
	}
	if primary != nil && hashOf(primary) == "" {
		return rollout.Revision{}, fmt.Errorf("the pods of ReplicaSet %s have no label %s, so no Service can tell them "+
			"from the canary's; run `kubectl rollout restart deployment/%s` once", primary.Name, HashLabel, deploy.Name)
	}
	rev := rollout.Revision{Hash: digest, ReplicaSet: deploy.Name + "-" + digest, Images: Images(template)}
	rev.IsPrimary = primary != nil && Equal(template, &primary.Spec.Template)
	rev.IsCandidate = candidate != nil && Equal(template, &candidate.Spec.Template)
	switch own := EqualOf(deploy, sets); {
	case rev.IsPrimary:
		rev.Hash, rev.ReplicaSet = hashOf(primary), primary.Name
	case rev.IsCandidate:
		rev.Hash, rev.ReplicaSet = hashOf(candidate), candidate.Name
	case own != nil:
		rev.Hash, rev.ReplicaSet = hashOf(own), own.Name
	}
	return rev, nil
}
