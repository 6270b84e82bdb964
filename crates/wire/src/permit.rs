//! What the gate signs.

use domain::{Permit, SendRequest};
use sha2::{Digest as _, Sha256};

/// Separates these bytes from everything else that the same key might sign, and names their version. A permit lives for
/// minutes, so a new version is taken up by signing with it and accepting both for one release.
const DOMAIN: &[u8] = b"afluente/permit/v1";

/// The bytes that the permit's signature covers: every field of the permit but the signature, and the SHA-256 of the
/// encoded request, so neither can be exchanged. Fields are preceded by their length: no two permits share their bytes.
///
/// The digest is over this release's own encoding, so a channel checks it on the request as it decoded and encodes
/// again; protobuf fields of a newer release that it does not know make the check fail, and the message is refused
/// rather than sent unchecked.
pub fn permit_bytes(request: &SendRequest, permit: &Permit) -> Vec<u8> {
    let digest = Sha256::digest(crate::encode(request));
    let mut bytes = Vec::with_capacity(256);
    let mut field = |part: &[u8]| {
        // A field of more than 4 GiB cannot come out of a broker's message.
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    field(DOMAIN);
    field(permit.message.uuid().as_bytes());
    field(permit.organization.uuid().as_bytes());
    field(permit.account.uuid().as_bytes());
    field(&permit.expires_at.millis().to_be_bytes());
    field(permit.ground.as_bytes());
    field(&digest);
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use domain::{Content, Timestamp};

    use super::*;
    use crate::samples;

    #[test]
    fn ses_11_every_field_is_covered() {
        let (request, permit) = (samples::send_request(), samples::permit());
        let signed = permit_bytes(&request, &permit);
        assert_eq!(signed, permit_bytes(&request, &Permit { signature: vec![9; 64], ..permit.clone() }));
        let other = samples::second_permit();
        let changed = [
            Permit { message: other.message, ..permit.clone() },
            Permit { organization: other.organization, ..permit.clone() },
            Permit { account: other.account, ..permit.clone() },
            Permit { expires_at: Timestamp::from_millis(1), ..permit.clone() },
            Permit { ground: "always".to_owned(), ..permit.clone() },
        ];
        for one in changed {
            assert_ne!(signed, permit_bytes(&request, &one), "{one:?}");
        }
        let said = SendRequest { content: Content::text("something else"), ..request };
        assert_ne!(signed, permit_bytes(&said, &permit));
    }

    #[test]
    fn ses_11_what_travelled_has_the_same_bytes() {
        let (request, permit) = (samples::send_request(), samples::permit());
        let arrived: SendRequest = crate::decode(&crate::encode(&request)).unwrap();
        assert_eq!(permit_bytes(&arrived, &permit), permit_bytes(&request, &permit));
    }
}
