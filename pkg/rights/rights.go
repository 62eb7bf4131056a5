// Package rights asks the API server who somebody is and what they may do. Questions have the form of objects there, and
// nothing of them is stored.
package rights

import (
	"context"
	"fmt"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// MayWatch says whether Weir has the rights to keep a cache of a kind, in a namespace or in all.
func MayWatch(
	ctx context.Context, client kubernetes.Interface, namespace string, gvr schema.GroupVersionResource,
) (bool, error) {
	return mayWatch(ctx, client, namespace, "", gvr)
}

// MayWatchNamed is MayWatch for the one object of that name, of a kind that is in no namespace.
func MayWatchNamed(ctx context.Context, client kubernetes.Interface, gvr schema.GroupVersionResource, name string) (bool, error) {
	return mayWatch(ctx, client, metav1.NamespaceAll, name, gvr)
}

func mayWatch(
	ctx context.Context, client kubernetes.Interface, namespace, name string, gvr schema.GroupVersionResource,
) (bool, error) {
	for _, verb := range []string{"list", "watch"} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Name: name, Verb: verb, Group: gvr.Group, Version: gvr.Version, Resource: gvr.Resource,
			},
		}}
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

// WhoIs asks the API server whose token it is; false where it is nobody's, or is for none of the audiences. Without
// audiences it has to be for the API server itself.
func WhoIs(
	ctx context.Context, client kubernetes.Interface, token string, audiences []string,
) (authenticationv1.UserInfo, bool, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences}}
	answer, err := client.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, false, fmt.Errorf("asking the API server whose token it is: %w", err)
	}
	// An API server that knows no audiences says nothing of them, and any token would do.
	ours := len(audiences) == 0 || slices.ContainsFunc(answer.Status.Audiences, func(of string) bool {
		return slices.Contains(audiences, of)
	})
	return answer.Status.User, answer.Status.Authenticated && ours, nil
}

// May says whether a user has a right on Canaries, in a namespace or in all, on one by its name or on all.
func May(
	ctx context.Context, client kubernetes.Interface, user authenticationv1.UserInfo, verb, namespace, name string,
) (bool, error) {
	extra := map[string]authorizationv1.ExtraValue{}
	for key, value := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(value)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Name: name, Verb: verb,
			Group: v1beta1.SchemeGroupVersion.Group, Version: v1beta1.SchemeGroupVersion.Version, Resource: "canaries"},
	}}
	answer, err := client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking the API server for the rights of %s: %w", user.Username, err)
	}
	return answer.Status.Allowed && !answer.Status.Denied, nil
}
