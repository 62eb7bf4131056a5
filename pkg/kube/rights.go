package kube

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
)

// MayWatch says whether Weir has the rights to keep a cache of a kind, in a namespace or in all.
func MayWatch(
	ctx context.Context, client kubernetes.Interface, namespace string, gvr schema.GroupVersionResource,
) (bool, error) {
	for _, verb := range []string{"list", "watch"} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: gvr.Group, Version: gvr.Version, Resource: gvr.Resource,
			},
		}}
		// It is a question in the form of an object; nothing is stored.
		answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return false, fmt.Errorf("asking the API server for Weir's rights on %s: %w", gvr.GroupResource(), err)
		}
		if !answer.Status.Allowed {
			return false, nil
		}
	}
	return true, nil
}
