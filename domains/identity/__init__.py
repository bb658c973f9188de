"""How a domain's DNS looks to receivers: each name server asked, slips named, SPF and DMARC worked
out.
"""
