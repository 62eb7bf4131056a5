package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AlertProvider is a chat or a pager that Canaries tell of their runs. docs/alerts.md goes through the types.
//
// +genclient
// +genclient:noStatus
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=ap
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Channel",type=string,JSONPath=`.spec.channel`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AlertProvider struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec AlertProviderSpec `json:"spec"`
}

// AlertProviderList is a list of AlertProviders.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
type AlertProviderList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []AlertProvider `json:"items"`
}

// ClusterAlertProvider is an AlertProvider for the Canaries of all namespaces.
//
// +genclient
// +genclient:nonNamespaced
// +genclient:noStatus
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Channel",type=string,JSONPath=`.spec.channel`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterAlertProvider struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec ClusterAlertProviderSpec `json:"spec"`
}

// ClusterAlertProviderList is a list of ClusterAlertProviders.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
type ClusterAlertProviderList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ClusterAlertProvider `json:"items"`
}

// AlertProviderSpec is a channel, and the Secret beside it.
//
// +kubebuilder:validation:XValidation:rule="!(self.type in ['slack', 'msteams', 'discord', 'rocket', 'gchat', 'webhook']) || has(self.address) || has(self.secretRef)",message="types slack, msteams, discord, rocket, gchat and webhook need spec.address, or a spec.secretRef to a Secret with the key address"
// +kubebuilder:validation:XValidation:rule="!(self.type in ['pagerduty', 'opsgenie', 'telegram']) || has(self.secretRef)",message="types pagerduty, opsgenie and telegram need a spec.secretRef to a Secret with the key token"
type AlertProviderSpec struct {
	AlertChannel `json:",inline"`

	// SecretRef names a Secret in the provider's namespace. Its key `address` goes before spec.address; its key
	// `token` is what slack (as a bot), pagerduty, opsgenie, telegram and webhook know Weir by; with its key
	// `hmacKey`, type webhook signs what it sends.
	// +optional
	SecretRef *LocalSecretRef `json:"secretRef,omitempty"`
}

// ClusterAlertProviderSpec is a channel, and a Secret somewhere.
//
// +kubebuilder:validation:XValidation:rule="!(self.type in ['slack', 'msteams', 'discord', 'rocket', 'gchat', 'webhook']) || has(self.address) || has(self.secretRef)",message="types slack, msteams, discord, rocket, gchat and webhook need spec.address, or a spec.secretRef to a Secret with the key address"
// +kubebuilder:validation:XValidation:rule="!(self.type in ['pagerduty', 'opsgenie', 'telegram']) || has(self.secretRef)",message="types pagerduty, opsgenie and telegram need a spec.secretRef to a Secret with the key token"
type ClusterAlertProviderSpec struct {
	AlertChannel `json:",inline"`

	// SecretRef names a Secret, with the keys that the Secret of an AlertProvider has.
	// +optional
	SecretRef *NamespacedSecretRef `json:"secretRef,omitempty"`
}

// NamespacedSecretRef names a Secret in a namespace.
type NamespacedSecretRef struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Namespace of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
}

// AlertChannel says where messages go, and how.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'telegram' || has(self.channel)",message="spec.channel is needed for type telegram: the id of the chat, or its @name"
// +kubebuilder:validation:XValidation:rule="!has(self.channel) || !(self.type in ['pagerduty', 'opsgenie', 'webhook'])",message="spec.channel is for chats; types pagerduty, opsgenie and webhook have none"
// +kubebuilder:validation:XValidation:rule="!has(self.username) || !(self.type in ['pagerduty', 'opsgenie', 'telegram', 'webhook'])",message="spec.username is for types slack, msteams, discord, rocket and gchat"
type AlertChannel struct {
	// Type of the channel.
	// +kubebuilder:validation:Enum=slack;msteams;discord;rocket;gchat;pagerduty;opsgenie;telegram;webhook
	Type string `json:"type"`

	// Channel of the chat: a name for slack and rocket, where the address need not say it; the id of a chat for
	// telegram. The addresses of msteams, discord and gchat are those of one channel, and it has no effect there.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Channel string `json:"channel,omitempty"`

	// Username that messages are shown under in slack, discord and rocket, as far as they allow it. Defaults to
	// weir.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	Username string `json:"username,omitempty"`

	// Address is the URL that messages are sent to. It is often a secret; then it belongs into the Secret. Types
	// pagerduty, opsgenie, telegram, and slack with a token have one of the vendor's own.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="spec.address must be an http or https URL"
	Address string `json:"address,omitempty"`

	// Proxy is the URL of a proxy that the address is reached through. Without it, that is the one of the
	// operator's environment, if any.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https', 'socks5'] && url(self).getHostname() != ''",message="spec.proxy must be an http, https or socks5 URL"
	Proxy string `json:"proxy,omitempty"`

	// Template is a Go template of the text, in the place of Weir's own words. Its fields are those of a message,
	// as in `{{ .Namespace }}/{{ .Name }}: {{ .Text }}`; docs/alerts.md lists them.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Template string `json:"template,omitempty"`

	// InsecureSkipVerify accepts any certificate of the server.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}
