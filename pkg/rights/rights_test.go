package rights_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rights"
)

// cluster is a real API server with one account, which may patch one Canary.
func cluster(t *testing.T) kubernetes.Interface {
	t.Helper()
	api, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, api.Stop()) })
	client, err := kubernetes.NewForConfig(api.RESTConfig())
	require.NoError(t, err)
	in := metav1.ObjectMeta{Name: "ann", Namespace: "default"}
	_, err = client.CoreV1().ServiceAccounts("default").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: in},
		metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = client.RbacV1().Roles("default").Create(t.Context(), &rbacv1.Role{ObjectMeta: in, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{v1beta1.SchemeGroupVersion.Group}, Resources: []string{"canaries"}, Verbs: []string{"patch"},
		ResourceNames: []string{"podinfo"},
	}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = client.RbacV1().RoleBindings("default").Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: in, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "ann"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "ann", Namespace: "default"}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return client
}

func TestRights(t *testing.T) {
	client := cluster(t)
	token := func(audiences ...string) string {
		made, err := client.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "ann", &authenticationv1.TokenRequest{
			Spec: authenticationv1.TokenRequestSpec{Audiences: audiences},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		return made.Status.Token
	}
	who := func(token string, audiences ...string) (authenticationv1.UserInfo, bool) {
		user, known, err := rights.WhoIs(t.Context(), client, token, audiences)
		require.NoError(t, err)
		return user, known
	}
	for _, c := range []struct {
		of, wanted []string
		known      bool
	}{
		{nil, nil, true},
		{[]string{"weir"}, []string{"weir"}, true},
		{[]string{"weir"}, []string{"other", "weir"}, true}, // for one of several is enough
		{[]string{"weir"}, []string{"other"}, false},
		{[]string{"weir"}, nil, false},
		{nil, []string{"weir"}, false},
	} {
		_, known := who(token(c.of...), c.wanted...)
		assert.Equal(t, c.known, known, "a token for %v where %v are wanted", c.of, c.wanted)
	}
	_, known := who("made up")
	assert.False(t, known)

	ann, known := who(token())
	require.True(t, known)
	assert.Equal(t, "system:serviceaccount:default:ann", ann.Username)
	for _, c := range []struct {
		verb, namespace, name string
		may                   bool
	}{
		{"patch", "default", "podinfo", true}, {"patch", "default", "other", false}, {"patch", "default", "", false},
		{"patch", "kube-system", "podinfo", false}, {"get", "default", "podinfo", false},
	} {
		require.Eventually(t, func() bool { // the API server takes a moment to know of a binding
			may, err := rights.May(t.Context(), client, ann, c.verb, c.namespace, c.name)
			return err == nil && may == c.may
		}, 10*time.Second, 50*time.Millisecond, "%s %s/%s: %t", c.verb, c.namespace, c.name, c.may)
	}
}
