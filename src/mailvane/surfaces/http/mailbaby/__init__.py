"""The MailBaby mail API. Its words, shapes, slips and date formats live here and nowhere else."""
