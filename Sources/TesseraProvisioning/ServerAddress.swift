internal import Foundation
internal import SwiftASN1
internal import X509

/// The addresses that servers are reached by, as certificates have them.
enum ServerAddress {
  /// The bytes of an IP address, 4 or 16, in network order; `nil` if the text is none.
  static func bytes(ofIP text: String) -> [UInt8]? {
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { Array($0) } }
    var six = in6_addr()
    if inet_pton(AF_INET6, text, &six) == 1 { return withUnsafeBytes(of: &six) { Array($0) } }
    return nil
  }

  /// Whether a text is an IP address or a host name (RFC 1123).
  static func isValid(_ text: String) -> Bool {
    if bytes(ofIP: text) != nil { return true }
    guard (1...253).contains(text.utf8.count) else { return false }
    return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
      (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
        && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    }
  }

  /// The address as a name that a certificate is for.
  static func generalName(_ text: String) -> GeneralName {
    bytes(ofIP: text).map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) } ?? .dnsName(text)
  }
}
