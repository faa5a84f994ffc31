//! Signatures of Standard Webhooks: `v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`, one for each secret.

use crate::secret::Secret;
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac::{HMAC_SHA256, Key, sign};

/// Secrets of one receiver. More than a change from one to the next needs are a mistake.
const MAX_SECRETS: usize = 5;

#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    /// # Errors
    /// What is wrong with one, without a word of it.
    pub(crate) fn read(secrets: &[Secret]) -> Result<Self, String> {
        const HOW: &str = "write each as whsec_ and the base64 of 24 to 64 random bytes \
                           (`echo whsec_$(head -c 32 /dev/urandom | base64)`)";
        if secrets.len() > MAX_SECRETS {
            return Err(format!("are {}; at most {MAX_SECRETS} are allowed", secrets.len()));
        }
        let key = |secret: &Secret| {
            let text = secret.expose().trim();
            let bytes = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
            (24..=64).contains(&bytes.len()).then(|| Key::new(HMAC_SHA256, &bytes))
        };
        let keys: Option<Vec<Key>> = secrets.iter().map(key).collect();
        keys.map(Self).ok_or_else(|| format!("hold one that is no secret of Standard Webhooks; {HOW}"))
    }

    /// The header `webhook-signature` of these exact bytes; none without a secret.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &str) -> Option<String> {
        let signed = format!("{id}.{timestamp}.{body}");
        let one = |key| format!("v1,{}", STANDARD.encode(sign(key, signed.as_bytes())));
        let all: Vec<String> = self.0.iter().map(one).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";

    fn keys(secrets: &[&str]) -> Result<Keys, String> {
        Keys::read(&secrets.iter().map(|secret| Secret::new(*secret)).collect::<Vec<_>>())
    }

    #[test]
    fn the_example_of_the_specification_is_signed_as_there() {
        let signature = keys(&[SECRET]).unwrap().sign(ID, 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn two_secrets_make_two_signatures_and_none_makes_none() {
        let other = format!("whsec_{}", STANDARD.encode([7; 24]));
        let signature = keys(&[SECRET, &other]).unwrap().sign(ID, 1, "{}").unwrap();
        let parts: Vec<_> = signature.split(' ').collect();
        assert!(parts.len() == 2 && parts[0] != parts[1] && parts.iter().all(|part| part.starts_with("v1,")));
        assert_eq!(keys(&[]).unwrap().sign(ID, 1, "{}"), None);
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_shown() {
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        for secret in ["", "whsec_", "hush hush", &short, &long] {
            let error = keys(&[SECRET, secret]).unwrap_err();
            assert!(error.contains("write each as whsec_") && !error.contains("hush"), "{error}");
        }
        assert!(keys(&[SECRET; 6]).unwrap_err().contains("at most 5"));
        assert!(!format!("{:?}", keys(&[SECRET]).unwrap()).contains("MfKQ"));
    }
}
