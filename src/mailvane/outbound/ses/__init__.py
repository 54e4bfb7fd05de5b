"""Amazon SES: verifying domains with it, and the notifications that it sends through Amazon SNS.

The one corner that knows boto3. What a bounce means for a domain is not decided here.
"""
